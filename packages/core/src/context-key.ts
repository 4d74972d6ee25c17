import { evtError } from './errors.ts'

/** A typed place in the context of one delivery, shared by middleware and handlers. */
export interface ContextKey<Value> {
  readonly name: string
  readonly '~value'?: (() => Value) | undefined
}

/** Makes a key. Two keys of one name are different keys. */
export function contextKey<Value>(name: string): ContextKey<Value> {
  return { name }
}

/** The values one delivery or draft carries; made only when something is set. */
export type ContextValues = Map<ContextKey<unknown>, unknown>

/** The value under a key, or `EVT_CONTEXT_MISSING`. */
export function requireValue<Value>(values: ContextValues | undefined, key: ContextKey<Value>): Value {
  if (values?.has(key)) return values.get(key) as Value
  throw evtError('EVT_CONTEXT_MISSING', `Nothing set the context key "${key.name}"`, { key: key.name })
}
