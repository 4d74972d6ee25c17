import type { ContextKey } from './context-key.ts'
import type { IncomingDelivery } from './delivery.ts'
import { evtError } from './errors.ts'
import { checkFunction, invalidOption } from './options.ts'
import type { Outcome } from './outcome.ts'

/** Where a middleware stands, outermost first. Built-in ones name their slot; everybody else's are `user`. */
const slots = ['trace', 'monitor', 'poison', 'idempotency', 'user'] as const
export type Slot = (typeof slots)[number]
const hooks = ['publish', 'consume', 'start', 'stop'] as const

/** A message about to be published, before it is encoded. */
export interface OutgoingDraft {
  readonly type: string
  readonly id: string
  readonly payload: unknown
  /** Adds a metadata entry. */
  metadata(name: string, value: string): void
  /** A value of the delivery whose handler publishes; `EVT_CONTEXT_MISSING` where nothing set it. */
  get<Value>(key: ContextKey<Value>): Value
  find<Value>(key: ContextKey<Value>): Value | undefined
}

/** Runs around every publish and every delivery of the bus that uses it. A subscription's own has `consume` alone. */
export interface Middleware {
  readonly name: string
  /** Default `user`. */
  readonly slot?: Slot | undefined
  publish?(message: OutgoingDraft, next: () => Promise<void>): Promise<void>
  consume?(delivery: IncomingDelivery, next: () => Promise<Outcome>): Promise<Outcome>
  start?(): Promise<void>
  stop?(): Promise<void>
}

/** Throws `EVT_OPTION_INVALID` for what is no list of middleware: a slot nobody knows would change the order in silence. */
export function checkMiddleware(option: string, list: readonly Middleware[] | undefined): readonly Middleware[] {
  if (list === undefined) return []
  if (!Array.isArray(list)) throw invalidOption(option, 'expected a list of middleware')
  for (const each of list as readonly Middleware[]) {
    if (typeof each?.name !== 'string') throw invalidOption(option, 'every middleware needs a name')
    if (each.slot !== undefined && !slots.includes(each.slot))
      throw invalidOption(`${option}.${each.name}.slot`, `expected one of ${slots.join(', ')}`)
    for (const hook of hooks) if (each[hook] !== undefined) checkFunction(`${option}.${each.name}.${hook}`, each[hook])
    // A function has a name too, and was meant to be called.
    if (hooks.every((hook) => each[hook] === undefined))
      throw invalidOption(`${option}.${each.name}`, `expected an object with at least one of ${hooks.join(', ')}`)
  }
  return list
}

/** In the order they run: by slot, then as given. */
export function inOrder(middleware: readonly Middleware[]): readonly Middleware[] {
  return [...middleware].sort((left, right) => slotOf(left) - slotOf(right))
}

function slotOf(middleware: Middleware): number {
  return slots.indexOf(middleware.slot ?? 'user')
}

type Around<Subject, Result> = (subject: Subject, next: () => Promise<Result>) => Promise<Result>

/** Composes once what runs per message; the terminal alone where there is nothing around it. */
export function compose<Subject, Result>(
  around: readonly Around<Subject, Result>[],
  terminal: (subject: Subject) => Promise<Result>,
): (subject: Subject) => Promise<Result> {
  return around.reduceRight<(subject: Subject) => Promise<Result>>(
    (inner, outer) => (subject) => {
      let called = false
      return outer(subject, () => {
        if (called) throw evtError('EVT_MIDDLEWARE_NEXT', 'A middleware called next twice', {})
        called = true
        return inner(subject)
      })
    },
    terminal,
  )
}
