import { invalidOption, wholeNumber } from '@evt/core'

/** Throws `EVT_OPTION_INVALID` unless a share is a part of one. */
export function checkShare(option: string, share: unknown): number {
  if (typeof share !== 'number' || !(share >= 0 && share <= 1))
    throw invalidOption(option, 'expected a number from 0 to 1')
  return share
}

export function checkSeed(seed: unknown): number {
  return wholeNumber('seed', seed, { min: 0, max: 2 ** 32 - 1, default: 1 })
}
