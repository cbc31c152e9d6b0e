#!/bin/sh
# Write the users of Redis or Valkey (an `aclfile`): one for workers, one for who reads the views, nobody else.
#
# usage: redis-users.sh WORKER_PASSWORD_FILE READER_PASSWORD_FILE > users.acl
#
# The file holds hashes of the passwords, not the passwords. The server's other settings that matter:
#   port 0, tls-port 6379, tls-cert-file, tls-key-file, tls-ca-cert-file, aclfile users.acl, maxmemory, maxmemory-policy
set -eu

: "${2:?"expected two files with passwords, of the worker and of readers"}"

# The hash of what a file holds, as a worker reads it: without the line end after it.
hashed() {
  secret=$(cat "$1")
  test -n "$secret" || { echo "redis-users.sh: expected a password in $1, got an empty file" >&2; exit 1; }
  printf %s "$secret" | sha256sum | cut -d' ' -f1
}

worker=$(hashed "$1")
reader=$(hashed "$2")

# `select` is for URLs that name a database. All of it is known to Redis 6.2 as well.
meet='+select'
read='+exists +get +hgetall +hmget +zrange +xrevrange +subscribe +unsubscribe'
write='+multi +exec +evalsha +script|load +script|exists +set +del +expire +hset +hdel +publish'
ranked='+xadd +xdel +zadd +zcard +zrem +zremrangebyscore +zscore'

echo "user default reset off"
echo "user overgrowth reset on #$worker ~overgrowth:* &overgrowth:* -@all $meet $read $write $ranked"
echo "user overgrowth-reader reset on #$reader ~overgrowth:* &overgrowth:* -@all $meet $read"
