/** Named places between two durable actions. A no-op that the fault harness alone replaces. */
type Crash = (name: string) => void

const holder = Symbol.for('evt.crashPoint')
const registry = globalThis as { [holder]?: Crash }

/** Says that a durable action is done and the next has not begun. */
export function crashPoint(name: string): void {
  registry[holder]?.(name)
}
