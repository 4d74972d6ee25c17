import type { Bug } from './bug.ts'

export type { Bug } from './bug.ts'

export const bugs: Readonly<Record<string, Bug>> = {}

const right: Bug = { about: 'nothing wrong', scenario: '' }

export function bugOf(name: string | undefined): Bug {
  if (name === undefined) return right
  const bug = Object.hasOwn(bugs, name) ? bugs[name] : undefined
  if (bug === undefined) throw new Error(`There is no seeded bug "${name}"`)
  return bug
}
