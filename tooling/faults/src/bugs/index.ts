import type { Bug } from './bug.ts'
import * as effects from './effects.ts'
import * as relays from './relays.ts'
import * as retention from './retention.ts'
import * as settlements from './settlements.ts'

export type { Bug } from './bug.ts'

/** By name; each must be caught by the scenario that it names. */
export const bugs: Readonly<Record<string, Bug>> = { ...settlements, ...relays, ...effects, ...retention }

const right: Bug = { about: 'nothing wrong', scenario: '' }

export function bugOf(name: string | undefined): Bug {
  if (name === undefined) return right
  const bug = Object.hasOwn(bugs, name) ? bugs[name] : undefined
  if (bug === undefined) throw new Error(`There is no seeded bug "${name}"`)
  return bug
}
