#!/bin/sh
# Give each principal of kafka-acls.sh its password on Kafka (SCRAM-SHA-512). Run again, it changes them.
#
# usage: kafka-users.sh BOOTSTRAP FOLDER [ADMIN.PROPERTIES]
#   FOLDER          holds kafka-USER-password of worker, channels, connector, subscriber, as make-secrets.sh writes them
#   KAFKA_CONFIGS   Kafka's own tool
set -eu

bootstrap=${1:?"expected the address of a broker, host:port; got nothing"}
folder=${2:?"expected the folder with the passwords, got nothing"}
configuration=${3:-}
tool=${KAFKA_CONFIGS:-kafka-configs.sh}

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

for user in worker channels connector subscriber; do
  password=$(cat "$folder/kafka-$user-password")
  test -n "$password" || { echo "kafka-users.sh: expected a password in $folder/kafka-$user-password" >&2; exit 1; }
  # By a file, for arguments are in every list of processes.
  printf 'SCRAM-SHA-512=password=%s\n' "$password" > "$scratch"
  "$tool" --bootstrap-server "$bootstrap" ${configuration:+--command-config "$configuration"} \
    --alter --entity-type users --entity-name "overgrowth-$user" --add-config-file "$scratch"
done
