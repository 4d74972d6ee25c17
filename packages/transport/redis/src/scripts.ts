import { readScripts, type Script } from '@evt/redis'

const names = [
  'count',
  'declare',
  'inspect',
  'join',
  'leave',
  'limit',
  'publish',
  'read',
  'remove-group',
  'remove-letters',
  'settle',
  'trim',
] as const

export type Scripts = Readonly<Record<(typeof names)[number], Script>>

export function loadScripts(): Scripts {
  return readScripts(import.meta.url, names)
}
