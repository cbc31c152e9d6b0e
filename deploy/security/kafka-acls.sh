#!/bin/sh
# Give each principal on Kafka what it needs and nothing else. The brokers run with an authorizer that denies by default:
#   authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
#   allow.everyone.if.no.acl.found=false
#
# usage: kafka-acls.sh BOOTSTRAP [ADMIN.PROPERTIES]
#   NAMESPACE    namespace of the installation; empty: the live one
#   WORKER, CHANNELS, CONNECTOR, SUBSCRIBER   principals; KAFKA_ACLS: Kafka's own tool
#
# who          channels                                                          may
# worker       raw.*, topics                                                     Read
#              signals, attributed, contributions, vitals, cascades, alerts,
#              alert-state, table.*                                              Read, Write
#              rejections, late                                                  Write
#              cursors                                                           Describe
#              group overgrowth                                                  Read
# channels     social.*                                                          Create, Describe   (`overgrowth channels`)
#              topics                                                            Read, Write   (`overgrowth seeds apply`)
# connector    raw.*, signals                                                    Write
#              cursors                                                           Read, Write
# subscriber   vitals, cascades, alerts, alert-state; groups subscriber-*        Read
#
# Read and Write include Describe. Nobody may delete, alter, or do anything to the cluster; only `channels` creates.
set -eu

bootstrap=${1:?"expected the address of a broker, host:port; got nothing"}
configuration=${2:-}
tool=${KAFKA_ACLS:-kafka-acls.sh}
namespace=${NAMESPACE:-}
prefix=${namespace:+$namespace.}social.
group=overgrowth${namespace:+-$namespace}
worker=${WORKER:-User:overgrowth-worker}
channels=${CHANNELS:-User:overgrowth-channels}
connector=${CONNECTOR:-User:overgrowth-connector}
subscriber=${SUBSCRIBER:-User:overgrowth-subscriber}

# allow PRINCIPAL literal|prefixed "OPERATION ..." "CHANNEL ..."
allow() {
  principal=$1 pattern=$2 operations=$3 names=$4
  set --
  for operation in $operations; do set -- "$@" --operation "$operation"; done
  for name in $names; do set -- "$@" --topic "$prefix$name"; done
  add "$principal" "$pattern" "$@"
}

# allow_group PRINCIPAL literal|prefixed GROUP
allow_group() {
  add "$1" "$2" --operation Read --group "$3"
}

add() {
  principal=$1 pattern=$2
  shift 2
  "$tool" --bootstrap-server "$bootstrap" ${configuration:+--command-config "$configuration"} \
    --add --force --allow-principal "$principal" --resource-pattern-type "$pattern" "$@"
}

both='signals attributed contributions vitals cascades alerts alert-state'
told='vitals cascades alerts alert-state'

allow "$worker" literal 'Read Write' "$both"
allow "$worker" literal Read topics
allow "$worker" literal Write 'rejections late'
allow "$worker" literal Describe cursors
allow "$worker" prefixed Read raw.
allow "$worker" prefixed 'Read Write' table.
allow_group "$worker" literal "$group"

add "$channels" prefixed --operation Create --operation Describe --topic "$prefix"
allow "$channels" literal 'Read Write' topics

allow "$connector" literal Write signals
allow "$connector" prefixed Write raw.
allow "$connector" literal 'Read Write' cursors

allow "$subscriber" literal Read "$told"
allow_group "$subscriber" prefixed subscriber-
