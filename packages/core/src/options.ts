import { evtError } from './errors.ts'

/** Throws `EVT_OPTION_UNKNOWN` for the first option that nobody reads, and `EVT_OPTION_INVALID` for what holds no options. */
export function checkKnown(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw invalidOption(owner, 'expected an object of options')
  for (const option of Object.keys(options)) {
    if (!known.includes(option)) {
      throw evtError('EVT_OPTION_UNKNOWN', `${owner} has no option "${option}"; it has ${known.join(', ')}`, {
        option,
        known,
      })
    }
  }
}

/** Returns a whole number in the range, or the default where it is left out; otherwise throws `EVT_OPTION_INVALID`. */
export function wholeNumber(
  option: string,
  value: unknown,
  range: { readonly min: number; readonly max?: number; readonly default: number },
): number {
  if (value === undefined) return range.default
  const max = range.max ?? Number.MAX_SAFE_INTEGER
  if (typeof value !== 'number' || !Number.isInteger(value) || value < range.min || value > max) {
    throw invalidOption(option, `expected a whole number from ${range.min} to ${max}`)
  }
  return value
}

/** Throws `EVT_OPTION_INVALID` where a required function is missing. */
export function checkFunction(option: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidOption(option, 'expected a function')
}

/** Throws `EVT_OPTION_INVALID` unless an option is left out or true or false. */
export function checkBoolean(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalidOption(option, 'expected true or false')
}

/** Throws `EVT_OPTION_INVALID`, naming the first method that an object lacks. */
export function checkMethods(option: string, value: unknown, methods: readonly string[]): void {
  for (const method of methods)
    checkFunction(`${option}.${method}`, (value as Record<string, unknown> | null)?.[method])
}

/** The error of an option whose value cannot be used. */
export function invalidOption(option: string, reason: string, cause?: unknown): Error {
  const options = cause === undefined ? {} : { cause }
  return evtError('EVT_OPTION_INVALID', `Option "${option}": ${reason}`, { option, reason }, options)
}
