#!/bin/sh
# The first boot of a machine that becomes an image. Whatever happens from here on, it
# powers off; only what it prints says whether it is ready.
shutdown -P +{{.Minutes}}
set -eu
# What is printed last must reach the console before the power goes.
trap 'sync; sleep {{.Linger}}; shutdown -P now' EXIT
export DEBIAN_FRONTEND=noninteractive HOME=/root
dir=/var/lib/ortest-image # not /run, from which Debian lets nothing start
mkdir -p -m 700 "$dir"
cd "$dir"
if ! command -v curl >/dev/null; then
	apt-get update -qq && apt-get install -y -qq --no-install-recommends curl ca-certificates
fi
echo "ortest: fetching the agent"
n=0
until curl -fsS --proto =https --max-time 120 -o ortest "{{.URL}}/agent/v1/binary/$(uname -m)"; do
	n=$((n + 1))
	[ "$n" -lt 30 ] || { echo "ortest: no agent after $n tries"; exit 1; }
	sleep 10
done
echo "{{.Digest}}  ortest" | sha256sum -c - || { echo "ortest: the agent is not the expected one"; exit 1; }
chmod 755 ortest
base64 -d <<'EOF_OF_THE_UNITS' | gunzip >units.json
{{.Units}}
EOF_OF_THE_UNITS
echo "ortest: making the image"
enabled() { systemctl list-unit-files --state=enabled --no-legend --plain | cut -d ' ' -f 1 | sort; }
enabled >before
./{{.Command}} || { echo "ortest: the image is not ready"; exit 1; }
# Servers that came as packages are started by those who test with them.
enabled | comm -13 before - | xargs -r systemctl disable -q
cd / && rm -rf "$dir"
# The next boot is another machine's first.
cloud-init clean --logs >/dev/null 2>&1 || rm -rf /var/lib/cloud
rm -rf /etc/ssh/ssh_host_* /root/.ssh /home/*/.ssh /var/log/journal/* /var/lib/apt/lists/*
: >/etc/machine-id
echo "{{.Ready}}"
