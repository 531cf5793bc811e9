import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

import type { ProcessRecord } from '../deployment/deployment.ts'

/**
 * Ends the commands of a server that died, by kill -9 too: it lists what it is told on a pipe, and the end of
 * the pipe is the death of the server. Groups are checked by their run id before they are signalled, since a
 * number may have been given to somebody else. It has a session of its own, so no Ctrl-C reaches it.
 */
const SCRIPT = `
trap '' INT TERM HUP
list=
while read -r what group run; do
  case $what in
    +) list="$list $group:$run" ;;
    -) kept=
       for one in $list; do [ "$one" = "$group:$run" ] || kept="$kept $one"; done
       list=$kept ;;
  esac
done
carriers() { grep -lzxF "FERRYMAN_RUN_ID=$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }
finish() {
  for one in $list; do
    group=\${one%%:*}; run=\${one#*:}
    for pid in $(carriers "$run"); do
      kill -s "$1" "$pid" 2>/dev/null
      # The sixth field counted from the end of the name in brackets is 'pgrp'.
      [ "$(sed 's/.*) . [0-9]* \\([0-9]*\\) .*/\\1/' "/proc/$pid/stat" 2>/dev/null)" = "$group" ] && kill -s "$1" -- "-$group" 2>/dev/null
    done
  done
}
left() { for one in $list; do [ -z "$(carriers "\${one#*:}")" ] || return 0; done; return 1; }
[ -n "$list" ] || exit 0
finish TERM
tries=0
while left && [ $tries -lt 25 ]; do sleep 0.2; tries=$((tries + 1)); done
tries=0
while left && [ $tries -lt 50 ]; do finish KILL; sleep 0.1; tries=$((tries + 1)); done
`

export interface Guard {
  add(process: ProcessRecord): void
  remove(process: ProcessRecord): void
  /** Ends the guard without ending what it guards. */
  stop(): Promise<void>
}

/** Starts the guard. If it dies, another takes its place with the same list. */
export function startGuard(): Guard {
  const guarded = new Map<string, string>()
  let stopped = false
  let child = start()

  function start(): ChildProcess {
    const fresh = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
    })
    fresh.stdin?.on('error', () => {}) // it died: 'exit' starts the next one
    fresh.once('error', () => {})
    fresh.once('exit', () => {
      if (!stopped) child = start()
    })
    for (const line of guarded.values()) fresh.stdin?.write(`+ ${line}\n`)
    return fresh
  }
  const lineOf = ({ group, runId }: ProcessRecord): string => {
    if (!/^[\da-f]+$/.test(runId)) throw new Error(`Not a run id: ${runId}`)
    return `${group} ${runId}`
  }
  return {
    add(process) {
      const line = lineOf(process)
      guarded.set(line, line)
      child.stdin?.write(`+ ${line}\n`)
    },
    remove(process) {
      const line = lineOf(process)
      guarded.delete(line)
      child.stdin?.write(`- ${line}\n`)
    },
    async stop() {
      stopped = true
      const ended = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, 'exit')
      for (const line of guarded.values()) child.stdin?.write(`- ${line}\n`)
      child.stdin?.end()
      await ended
    },
  }
}
