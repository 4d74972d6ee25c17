/**
 * A value with some of its members replaced or added. Everything else is read from the original at every look, with the
 * original as `this`: getters stay current, private fields work and what the original has beyond its contract stays there.
 */
export function delegate<Value extends object, Overrides extends object>(
  value: Value,
  overrides: Overrides,
): Value & Overrides {
  const read = (name: PropertyKey): unknown => {
    if (Object.hasOwn(overrides, name)) return Reflect.get(overrides, name)
    const found: unknown = Reflect.get(value, name, value)
    return typeof found === 'function' ? found.bind(value) : found
  }
  const has = (name: PropertyKey) => Object.hasOwn(overrides, name) || Reflect.has(value, name)
  const target: object = {}
  // The target is empty: a proxy of a frozen value could replace nothing.
  return new Proxy(target, {
    get: (_target, name) => read(name),
    set: (_target, name, next) => Reflect.set(value, name, next, value),
    has: (_target, name) => has(name),
    ownKeys: () => [...new Set([...Reflect.ownKeys(value), ...Reflect.ownKeys(overrides)])],
    getOwnPropertyDescriptor: (_target, name) =>
      has(name) ? { value: read(name), enumerable: true, configurable: true, writable: true } : undefined,
  }) as Value & Overrides
}
