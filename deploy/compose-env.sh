#!/bin/sh
# The file .env of docker-compose.yml, in the folder where it is called.
#   sh deploy/compose-env.sh                 writes it, with new passwords and keys; one that is there is left as it is (exit code 1)
#   … | sh deploy/compose-env.sh VARIABLE    sets one to the first line of its standard input, and prints the others
# A value passes through no argument, where `ps` would show it. `.env` may be read by its owner alone.
set -eu
umask 077
example="$(dirname "$0")/compose.env.example"

random() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

if [ $# -eq 0 ]; then
  if [ -e .env ]; then
    echo 'compose-env: .env is there, and its keys are needed for ever: it was left as it is' >&2
    exit 1
  fi
  while IFS= read -r line; do
    case $line in
      DB_*_PASSWORD= | GRAFANA_PASSWORD=) line=$line$(random 24) ;;
      AUDIT_FINGERPRINT_KEYS=) line=${line}k1:$(random 32) ;;
      AUDIT_SECRET_KEY=) line=$line$(random 32) ;;
    esac
    printf '%s\n' "$line"
  done < "$example" > .env.new
  mv .env.new .env
  exit 0
fi

name=$1
value=
IFS= read -r value || true # no line, or one without its end
[ -n "$value" ] || { echo "compose-env: expected a line for $name on standard input, got none" >&2; exit 1; }
grep -q "^$name=" .env || { echo "compose-env: expected a variable of .env, got $name" >&2; exit 1; }
while IFS= read -r line; do
  case $line in "$name="*) line=$name=$value ;; esac
  printf '%s\n' "$line"
done < .env > .env.new
mv .env.new .env
cat
