import type { Headers } from './transport.ts'

/**
 * An empty object for headers that inherits nothing from anywhere: `constructor` and `__proto__` are names like any other.
 * `Object.create(null)` would do, but the engine makes a hash table of that: five times the memory, half as fast.
 */
export function headerTable(): Record<string, string> {
  return new (Table as unknown as new () => Record<string, string>)()
}

/** Never given a text: the engine makes room in the object for as many assignments as it sees here. */
function Table(this: Record<string, string>, text?: string): void {
  if (text === undefined) return
  this.a = text
  this.b = text
  this.c = text
  this.d = text
  this.e = text
  this.f = text
  this.g = text
  this.h = text
  this.i = text
  this.j = text
}
Table.prototype = Object.freeze(Object.create(null))

/** Takes over what was parsed from JSON, so that it inherits nothing either: a copy would take ten times as long. What is no object has no headers. */
export function withoutPrototype(parsed: unknown): Headers {
  return typeof parsed === 'object' && parsed !== null
    ? (Object.setPrototypeOf(parsed, null) as Headers)
    : headerTable()
}
