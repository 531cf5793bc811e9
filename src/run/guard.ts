import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

import type { ProcessRecord } from '../deployment/deployment.ts'
import { shownMarkOf } from './mark.ts'

/**
 * Ends the commands of a server that died, by kill -9 too: it lists what it is told on a pipe, and the end of
 * the pipe is the death of the server. It has a session of its own, so no Ctrl-C reaches it. A number may have
 * been given to somebody else meanwhile: a group is signalled when its leader began at the recorded moment or a
 * member is of the run, and beside it whoever is of the run. Who that is, processes.ts says in the same words.
 */
const SCRIPT = `
trap '' INT TERM HUP
ulimit -S -m unlimited 2>/dev/null # where a deployment has started this server, we are not part of that
# State, parent, group and so on: what follows the name in brackets, which may hold anything.
stat() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null; }
parent() { stat "$1" | cut -d' ' -f2; }
reapers=$PPID
up=$PPID
while up=$(parent "$up") && [ "\${up:-0}" -gt 0 ]; do reapers="$reapers $up"; done
us=$(id -u)
list=
while read -r what entry; do
  case $what in
    +) list="$list $entry" ;;
    -) kept=
       for one in $list; do [ "$one" = "$entry" ] || kept="$kept $one"; done
       list=$kept ;;
  esac
done
pids() { cut -d/ -f3; }
is_ours() {
  set -- "$(parent "$1")"
  case " $named " in *" $1 "*) is_ours "$1"; return ;; esac
  case " $marked $reapers 1  " in *" $1 "*) ;; *) false ;; esac
}
carriers() {
  marked=$(grep -lE "^Max resident set +$2 " /proc/[0-9]*/limits 2>/dev/null | pids | tr '\n' ' ')
  named=
  for pid in $(grep -lF "FERRYMAN_RUN_ID=$1" /proc/[0-9]*/environ 2>/dev/null | pids); do
    grep -qE '^Max resident set +[4-9][0-9]{18} ' "/proc/$pid/limits" 2>/dev/null || named="$named $pid"
  done
  for pid in $marked; do echo "$pid"; done
  for pid in $named; do is_ours "$pid" && echo "$pid"; done
}
# What is another user's takes no signal from us: sudo carries it, where it may. Root needs nobody for that.
tell() { # SIGNAL TARGET PID, whose owner it is about
  kill -s "$1" -- "$2" 2>/dev/null
  [ "$us" != 0 ] || return 0
  owner=$(sed -n 's/^Uid:[^0-9]*\\([0-9]*\\).*/\\1/p' "/proc/$3/status" 2>/dev/null)
  case $owner in ''|0|"$us") return 0 ;; esac
  sudo -n -u "#$owner" -- /bin/sh -c 'kill -s "$1" -- "$2"' sh "$1" "$2" </dev/null >/dev/null 2>&1
}
begun() { set -- $(stat "$1"); echo "\${20-}"; }
fields() { IFS=: read -r group ticks run mark <<END
$1
END
}
finish() {
  for one in $list; do
    fields "$one"
    [ "$(begun "$group")" = "$ticks" ] && kill -s "$1" -- "-$group" 2>/dev/null
    for pid in $(carriers "$run" "$mark"); do
      in=$(stat "$pid" | cut -d' ' -f3)
      tell "$1" "$pid" "$pid"
      [ "$in" = "$group" ] && tell "$1" "-$group" "$pid"
    done
  done
}
lives() { case $(stat "$1") in ''|Z*|X*) false ;; esac; }
left() {
  for one in $list; do
    fields "$one"
    [ "$(begun "$group")" = "$ticks" ] && lives "$group" && return 0
    for pid in $(carriers "$run" "$mark"); do lives "$pid" && return 0; done
  done
  return 1
}
[ -n "$list" ] || exit 0
finish TERM
tries=0
while left && [ $tries -lt 25 ]; do sleep 0.2; tries=$((tries + 1)); done
tries=0
while left && [ $tries -lt 50 ]; do finish KILL; sleep 0.1; tries=$((tries + 1)); done
`
const AGAIN_MS = 500

export interface Guard {
  add(process: ProcessRecord): void
  remove(process: ProcessRecord): void
  /** Ends the guard; what is still listed ends with it. */
  stop(): Promise<void>
}

/** Starts the guard. If it dies, another takes its place with the same list. */
export function startGuard(): Guard {
  const guarded = new Set<string>()
  let again: NodeJS.Timeout | undefined
  let stopped = false
  let child = start()

  function start(): ChildProcess {
    const fresh = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
    })
    fresh.stdin?.on('error', () => {}) // it died: the next one is told
    fresh.once('error', startAgain)
    fresh.once('exit', startAgain)
    for (const line of guarded) fresh.stdin?.write(`+ ${line}\n`)
    return fresh
  }
  function startAgain(): void {
    if (stopped || again !== undefined) return
    // Not at once: where the system refuses a process, it needs a moment.
    again = setTimeout(() => {
      again = undefined
      child = start()
    }, AGAIN_MS)
  }
  return {
    add(process) {
      const line = lineOf(process)
      guarded.add(line)
      child.stdin?.write(`+ ${line}\n`)
    },
    remove(process) {
      const line = lineOf(process)
      guarded.delete(line)
      child.stdin?.write(`- ${line}\n`)
    },
    async stop() {
      stopped = true
      clearTimeout(again)
      const isGone = child.pid === undefined || child.exitCode !== null || child.signalCode !== null
      const ended = isGone ? undefined : once(child, 'exit')
      child.stdin?.end()
      await ended
    },
  }
}

/** The run id is part of a pattern and of a list: nothing but hexadecimal digits may be in it. */
function lineOf({ group, startTicks, runId }: ProcessRecord): string {
  if (!/^[\da-f]+$/.test(runId)) throw new Error(`Not a run id: ${runId}`)
  const ticks = startTicks === '' ? 'unknown' : startTicks
  return [group, ticks, runId, shownMarkOf(runId)].join(':')
}
