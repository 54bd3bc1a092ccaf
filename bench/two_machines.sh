#!/usr/bin/env bash
# Runs a command under mpirun on two ranks with a network between them: two network namespaces of this machine, joined by a cable of a given rate and delay.
#   sudo bench/two_machines.sh 1gbit 1ms dotnet Graft.Cli.dll train flowers --strategy full …
# The delay is the round trip and needs a kernel with netem; "1gbit none" limits the rate alone, "none none" leaves the cable as fast as it is.
set -euo pipefail
rate=$1 delay=$2
shift 2
one=graft-$$-1 two=graft-$$-2
agent=$(mktemp)
trap 'ip netns del $one 2>/dev/null; ip netns del $two 2>/dev/null; rm -f "$agent"' EXIT

ip netns add $one
ip netns add $two
ip link add eth0 netns $one type veth peer name eth0 netns $two
for side in "$one 10.77.0.1" "$two 10.77.0.2"; do
    read -r name address <<< "$side"
    ip -n "$name" addr add "$address/24" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
    if [ "$rate" != none ]; then
        ip netns exec "$name" tc qdisc add dev eth0 root handle 1: tbf rate "$rate" burst 64k latency 100ms
        if [ "$delay" != none ]; then
            half=$(awk "BEGIN { print ${delay%ms} / 2 }")ms
            ip netns exec "$name" tc qdisc add dev eth0 parent 1: netem delay "$half" limit 100000
        fi
    fi
done

# What mpirun starts the second machine's part with, in the place of ssh: the arguments are the machine and a command.
cat > "$agent" <<AGENT
#!/usr/bin/env bash
shift
exec ip netns exec $two unshare --uts sh -c "hostname machine2; \$*"
AGENT
chmod +x "$agent"
ip netns exec $one unshare --uts sh -c 'hostname machine1; exec "$@"' sh \
    mpirun --allow-run-as-root --mca plm_rsh_agent "$agent" --mca btl tcp,self --mca pml ob1 \
    --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
    --host 10.77.0.1:1,10.77.0.2:1 -n 2 --bind-to none "$@"
