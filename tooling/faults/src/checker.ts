import type { Facts } from './database.ts'
import type { Entry, Ledger } from './ledger.ts'
import type { Taken } from './taken.ts'

/** A promise that was broken, with some of the messages it was broken for. */
export interface Finding {
  readonly what: string
  readonly count: number
  readonly examples: readonly string[]
}
export interface Expected {
  /** As `<service>/<group>`. */
  readonly consumers: readonly string[]
  /** Those of them whose effects may happen more than once. */
  readonly atLeastOnce: readonly string[]
  /** Whether messages of one key must start in the order of their numbers. */
  readonly ordered: boolean
  /** Messages that somebody took away on purpose: nobody can know what became of them. */
  readonly taken?: Taken | undefined
}

type Start = Extract<Entry, { readonly kind: 'start' }>

/** Holds what the programs said against what the database has, once everything is quiet. */
export function check(ledger: Ledger, facts: Facts, expected: Expected): readonly Finding[] {
  const findings: Finding[] = []
  const found = (what: string, messages: readonly string[]) => {
    if (messages.length > 0) findings.push({ what, count: messages.length, examples: messages.slice(0, 5) })
  }
  const due = dueOf(ledger, facts)
  const known = new Set([...ledger.of('ok'), ...ledger.of('fail')].map(({ message }) => message))
  // Nobody but the broker knows what became of them: the answer was unknown, or whoever asked died.
  const maybe = new Set(
    ledger.of('invoke').flatMap(({ message, directly }) => (directly && !known.has(message) ? [message] : [])),
  )
  const unclear = new Set([...maybe, ...ledger.of('unknown').map(({ message }) => message)])
  found(
    'said to be committed and not there',
    ledger.of('ok').flatMap(({ message, code }) => (code === '' && !facts.committed.has(message) ? [message] : [])),
  )
  found(
    'said to have failed and there all the same',
    ledger.of('fail').flatMap(({ message }) => (facts.committed.has(message) ? [message] : [])),
  )
  found(
    'more connections than allowed',
    ledger
      .of('connections')
      .flatMap(({ pid, most, allowed }) => (most > allowed ? [`${pid}: ${most} of ${allowed}`] : [])),
  )
  for (const consumer of expected.consumers) {
    const effects = facts.effects.get(consumer) ?? new Map<string, number>()
    const taken = expected.taken?.(consumer)
    const name = expected.consumers.length === 1 ? '' : ` (${consumer})`
    found(
      `lost${name}`,
      missing(facts, consumer, due).filter((message) => taken?.has(message) !== true),
    )
    const doubled = [...effects].flatMap(([message, count]) => (count > 1 ? [message] : []))
    if (!expected.atLeastOnce.includes(consumer)) found(`double effect${name}`, doubled)
    found(
      `ghost${name}`,
      [...effects.keys()].filter((message) => !due.has(message) && !maybe.has(message)),
    )
    const starts = ledger.of('start').filter((start) => start.consumer === consumer && start.key !== '')
    found(`two of one key at once${name}`, overlaps(ledger, consumer))
    if (expected.ordered) found(`out of order${name}`, overtakers(starts, unclear))
  }
  return findings
}

/** Messages that somebody was told are accepted: committed with their order, or published past the outbox. */
export function dueOf(ledger: Ledger, facts: Facts): ReadonlySet<string> {
  const direct = ledger.of('ok').flatMap(({ message, code }) => (code === 'direct' ? [message] : []))
  return new Set([...facts.committed.keys(), ...direct])
}

/** Those of these messages that have neither effect nor dead letter. */
export function missing(facts: Facts, consumer: string, due: Iterable<string>): readonly string[] {
  const effects = facts.effects.get(consumer)
  const letters = facts.letters.get(consumer)
  return [...due].filter((message) => effects?.has(message) !== true && letters?.has(message) !== true)
}

/** Messages that started for the first time after a later one of their key had. */
function overtakers(starts: readonly Start[], ignored: ReadonlySet<string>): readonly string[] {
  const seen = new Set<string>()
  const newest = new Map<string, number>()
  const late: string[] = []
  for (const { message, key, number } of starts) {
    if (seen.has(message) || ignored.has(message)) continue
    seen.add(message)
    const before = newest.get(key) ?? Number.NEGATIVE_INFINITY
    if (number < before) late.push(message)
    newest.set(key, Math.max(number, before))
  }
  return late
}

/** Messages that started in a process while another of their key ran there. */
function overlaps(ledger: Ledger, consumer: string): readonly string[] {
  const running = new Map<string, string>()
  const keys = new Map<string, string>()
  const overlapping: string[] = []
  for (const entry of ledger.of('start', 'end')) {
    if (entry.consumer !== consumer) continue
    const run = `${entry.pid} ${entry.message}`
    if (entry.kind === 'end') {
      const place = keys.get(run)
      if (place !== undefined && running.get(place) === entry.message) running.delete(place)
      continue
    }
    if (entry.key === '') continue
    const place = `${entry.pid} ${entry.key}`
    keys.set(run, place)
    const other = running.get(place)
    if (other !== undefined && other !== entry.message) overlapping.push(entry.message)
    running.set(place, entry.message)
  }
  return overlapping
}

/** Messages a relay sent for the first time after a later one of their key; `numberOf` gives their place. */
export function sentOutOfOrder(ledger: Ledger, numberOf: (message: string) => number): readonly string[] {
  const newest = new Map<string, number>()
  const seen = new Set<string>()
  const late: string[] = []
  for (const { message, key } of ledger.of('sent')) {
    if (key === '' || seen.has(message)) continue
    seen.add(message)
    const number = numberOf(message)
    const before = newest.get(key) ?? Number.NEGATIVE_INFINITY
    if (number < before) late.push(message)
    newest.set(key, Math.max(number, before))
  }
  return late
}
