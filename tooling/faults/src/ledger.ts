import { appendFileSync, closeSync, fsyncSync, openSync } from 'node:fs'

/** What programs tell; each line also says when, by the machine's monotonic clock, and which process. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'closing' }
  | { readonly kind: 'closed'; readonly figures: Readonly<Record<string, number>> }
  | {
      readonly kind: 'invoke'
      readonly message: string
      readonly key: string
      readonly number: number
      /** Past the outbox. */
      readonly directly: boolean
    }
  | { readonly kind: 'ok'; readonly message: string; readonly code: string }
  | { readonly kind: 'fail'; readonly message: string; readonly code: string }
  | { readonly kind: 'unknown'; readonly message: string; readonly code: string }
  | {
      readonly kind: 'start'
      readonly message: string
      readonly consumer: string
      readonly key: string
      readonly number: number
      readonly attempt: number
    }
  /** Handed over; an inbox may still keep it from the handler. */
  | { readonly kind: 'taken'; readonly message: string; readonly consumer: string }
  | { readonly kind: 'end'; readonly message: string; readonly consumer: string; readonly as: 'returned' | 'thrown' }
  | { readonly kind: 'sent'; readonly message: string; readonly key: string }
  /** Of a program, when it is asked: processor time so far, memory now, and the most since it was asked last. */
  | { readonly kind: 'usage'; readonly cpuMs: number; readonly rssMb: number; readonly mostRssMb: number }
  /** More of them than the process had before. */
  | { readonly kind: 'connections'; readonly most: number; readonly allowed: number }
  | { readonly kind: 'crash'; readonly point: string }
  | { readonly kind: 'error'; readonly during: string; readonly text: string }
export type Entry = Report & { readonly atMs: number; readonly pid: number }
type Kind = Entry['kind']

/** Everything that happened, in memory and in an append-only file that only this process writes. */
export interface Ledger {
  readonly file: string
  readonly size: number
  add(entry: Entry): void
  /** In the order of their time. */
  of<K extends Kind>(...kinds: readonly K[]): readonly Extract<Entry, { readonly kind: K }>[]
  count(kind: Kind): number
  /** When the newest of these was told; before everything where there is none. */
  newestMs(kind: Kind): number
  /** The process that told the newest of these. */
  lastPid(...kinds: readonly Kind[]): number | undefined
  /** Durable when it returns. */
  sync(): void
  close(): void
}

export function openLedger(file: string): Ledger {
  const handle = openSync(file, 'a')
  const byKind = new Map<Kind, Entry[]>()
  let waiting: string[] = []
  let size = 0
  let closed = false
  const write = () => {
    if (waiting.length > 0) appendFileSync(handle, `${waiting.join('\n')}\n`)
    waiting = []
  }
  return {
    file,
    get size() {
      return size
    },
    add(entry) {
      // The number of its file may be another's by now.
      if (closed) return
      const known = byKind.get(entry.kind)
      if (known === undefined) byKind.set(entry.kind, [entry])
      else known.push(entry)
      size += 1
      if (waiting.push(JSON.stringify(entry)) >= 256) write()
    },
    of<K extends Kind>(...kinds: readonly K[]) {
      const found = kinds.flatMap((kind) => byKind.get(kind) ?? []) as Extract<Entry, { readonly kind: K }>[]
      return found.sort((left, right) => left.atMs - right.atMs)
    },
    count: (kind) => byKind.get(kind)?.length ?? 0,
    newestMs: (kind) => byKind.get(kind)?.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY,
    lastPid(...kinds) {
      const newest = kinds.flatMap((kind) => byKind.get(kind)?.at(-1) ?? [])
      return newest.sort((left, right) => right.atMs - left.atMs)[0]?.pid
    },
    sync() {
      write()
      fsyncSync(handle)
    },
    close() {
      closed = true
      write()
      fsyncSync(handle)
      closeSync(handle)
    },
  }
}
