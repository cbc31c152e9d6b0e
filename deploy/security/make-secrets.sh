#!/bin/sh
# Make the files that docker-compose.secure.yml mounts: an authority of its own, certificates, passwords, users of Redis.
#
# usage: make-secrets.sh FOLDER [DAYS]
#   FOLDER   what SECRETS_FOLDER says, ./secrets without it; DAYS that certificates are good for, 365 unless told otherwise
#
# authority.pem                        who vouches for the servers; clients need it. authority.key makes further ones: keep
#                                      it elsewhere, or delete it
# kafka-broker.pem, kafka-admin.pem    key and certificate of the broker (kafka, localhost) and of who gives rights
# kafka-USER-password                  of worker, channels, connector, subscriber
# valkey.pem, valkey.key               certificate and key of Valkey (valkey, localhost)
# redis-worker-password, redis-reader-password, redis-users.acl
#
# Each container runs under another user, who must read its files: so the files may be read, and the folder lets nobody in
# but its owner. To make all anew, begin with another folder, or delete these files.
set -eu

folder=${1:?"expected the folder for the secrets, got nothing"}
days=${2:-365}
here=$(dirname "$0")

for file in "$folder"/authority.pem "$folder"/kafka-*-password; do
  test ! -e "$file" || { echo "make-secrets.sh: expected a folder without secrets, found $file" >&2; exit 1; }
done
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

# certificate NAME KEY CERTIFICATE [OPTION ...]
certificate() {
  name=$1 key=$2 certificate=$3
  shift 3
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" \
    -subj "/CN=$name" -keyout "$key" -out "$certificate" "$@" 2>"$folder/openssl.log" || {
    cat "$folder/openssl.log" >&2
    exit 1
  }
  rm "$folder/openssl.log"
}

# vouched NAME KEY CERTIFICATE [HOST ...]
vouched() {
  name=$1 key=$2 certificate=$3 hosts=
  shift 3
  for host in "$@"; do hosts="$hosts,DNS:$host"; done
  set --
  test -z "$hosts" || set -- -addext "subjectAltName=IP:127.0.0.1$hosts"
  certificate "$name" "$key" "$certificate" -CA "$folder/authority.pem" -CAkey "$folder/authority.key" \
    -addext basicConstraints=critical,CA:FALSE "$@"
}

certificate "Overgrowth authority" "$folder/authority.key" "$folder/authority.pem"
vouched valkey "$folder/valkey.key" "$folder/valkey.pem" valkey localhost
for name in kafka-broker kafka-admin; do
  test "$name" = kafka-broker && hosts="kafka localhost" || hosts=
  # Unquoted: each host is a word of its own.
  vouched "$name" "$folder/$name.key" "$folder/$name.certificate" $hosts
  # Kafka wants both in one file.
  cat "$folder/$name.key" "$folder/$name.certificate" > "$folder/$name.pem"
  rm "$folder/$name.key" "$folder/$name.certificate"
done

for name in kafka-worker kafka-channels kafka-connector kafka-subscriber redis-worker redis-reader; do
  openssl rand -hex 32 > "$folder/$name-password"
done
"$here/redis-users.sh" "$folder/redis-worker-password" "$folder/redis-reader-password" > "$folder/redis-users.acl"

chmod 644 "$folder"/*.pem "$folder/valkey.key" "$folder"/*-password "$folder/redis-users.acl"
