#!/usr/bin/env bash
# A sweep as one SLURM job: Ray on every node, the driver on the first.
#     sbatch experiments/cluster/slurm.sh SWEEP_FILE STORAGE [more words for `prunetune sweep`]
# Submit it from a folder that all nodes see. STORAGE, and the environment in PRUNETUNE_VENV, must be seen by all nodes as well.
# The job may be preempted, requeued or submitted again: the sweep goes on where it stopped, each trial from its last epoch.
#SBATCH --job-name=prunetune
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: sbatch slurm.sh SWEEP_FILE STORAGE [OPTION...]" >&2; exit 2; }
sweep=$1 storage=$2
shift 2
source "${PRUNETUNE_VENV:-$HOME/venv}/bin/activate"
export OMP_NUM_THREADS=1

# One token a job, readable by its owner alone: other users of the nodes can reach Ray's ports.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$PWD/.ray-token-$SLURM_JOB_ID"
(umask 077 && python -c "import secrets; print(secrets.token_hex(32), end='')" > "$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# Ports that depend on the job, so that two jobs may share a node.
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${nodes[0]}
number=$((SLURM_JOB_ID % 10000))
address="$first:$((20000 + number))"
common=(--num-cpus="$SLURM_CPUS_PER_TASK" --object-store-memory=500000000 --disable-usage-stats \
    --dashboard-agent-listen-port=$((40000 + number)) --block)

srun --overlap --nodes=1 --ntasks=1 --nodelist="$first" \
    ray start --head --port="${address#*:}" --include-dashboard=false --ray-client-server-port=$((30000 + number)) "${common[@]}" &
for _ in $(seq 60); do
    ray health-check --address "$address" >/dev/null 2>&1 && break
    sleep 2
done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    others=$((SLURM_JOB_NUM_NODES - 1))
    srun --overlap --nodes="$others" --ntasks="$others" --exclude="$first" ray start --address="$address" "${common[@]}" &
fi

# Two minutes before the time is up SLURM sends SIGTERM (--signal above) and the driver ends with exit code 143.
prunetune sweep "$sweep" --storage "$storage" --address "$address" "$@" &
driver=$!
trap 'kill -TERM "$driver"' TERM
code=0
wait "$driver" || code=$?
while kill -0 "$driver" 2>/dev/null; do  # the signal ended `wait`, not the driver
    code=0
    wait "$driver" || code=$?
done
exit "$code"  # SLURM ends Ray's steps with the job
