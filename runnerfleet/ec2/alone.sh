#!/bin/sh
# First of all: whatever happens from here on, the machine powers off, and a
# machine that powers off is terminated.
shutdown -P +{{.Minutes}}
set -eu
trap 'shutdown -P now' EXIT
dir=/var/lib/ortest
mkdir -p -m 711 "$dir"
cd "$dir"
install -m 600 /dev/null list.json
cat >list.json <<'EOF_OF_THE_LIST'
{{.List}}
EOF_OF_THE_LIST
echo "ortest: fetching the agent"
n=0
until curl -fsSL --proto =https --max-time 300 -o ortest "{{.URL}}"; do
	n=$((n + 1))
	[ "$n" -lt 30 ] || { echo "ortest: no agent after $n tries"; exit 1; }
	sleep 10
done
echo "{{.Digest}}  ortest" | sha256sum -c - || { echo "ortest: the agent is not the expected one"; exit 1; }
chmod 755 ortest
mkdir -p "$dir/work"
export ORTEST_BIN="$dir/ortest" ORTEST_AGENT_DIR="$dir/work" ORTEST_INSTANCE="{{.Instance}}" ORTEST_AGENT_DEADLINE="{{.Deadline}}"
# Jobs run as other users: neither what the machine can prove of itself nor the list is theirs.
iptables -I OUTPUT -d 169.254.169.254 -m owner ! --uid-owner 0 -j REJECT || { echo "ortest: the metadata service cannot be closed to jobs"; exit 1; }
echo "ortest: starting the agent"
./ortest agent --list list.json --runner-dir /opt/actions-runner --runner "bin/Runner.Listener run" --users ortest-lane-{{if .Root}} --root {{.Root}}{{end}}
echo "ortest: the agent has ended"
