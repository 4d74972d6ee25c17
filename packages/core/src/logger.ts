import { describeThrown } from './errors.ts'

/**
 * The structural subset of pino's logger that everything here writes to. What was thrown stands in the field `err`, where
 * pino and bunyan write an error with its stack and causes; under any other name they write `{}`.
 */
export interface Logger {
  debug(fields: object, message?: string): void
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
}

/** Writes nothing. The default of every part except the bus. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Warnings and errors as one JSON line each on standard error: the bus's default, so that no failure is silent. */
export const consoleLogger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => write('warn', fields, message),
  error: (fields, message) => write('error', fields, message),
}

function write(level: string, fields: object, message: string | undefined): void {
  const flat = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shown(value)]))
  console.error(JSON.stringify({ level, ...flat, message }))
}

const maxText = 2_048
const maxCauses = 3

function shown(value: unknown, causes = maxCauses): unknown {
  if (value instanceof Error) {
    const { name, message, code, stack, cause } = value as Error & { readonly code?: unknown }
    return {
      ...{ name, message: message.slice(0, maxText), code: shown(code, 0), stack: stack?.slice(0, maxText) },
      cause: cause === undefined || causes === 0 ? undefined : shown(cause, causes - 1),
    }
  }
  try {
    JSON.stringify(value)
    return value
  } catch {
    // A handler may throw anything, such as an object that holds itself; the line about it must not get lost.
    return describeThrown(value).slice(0, maxText)
  }
}

/** A logger that never throws, whatever the given one does: that must not change what becomes of a message, nor end a process. */
export function guardedLogger(logger: Logger, report: (error: unknown) => void = () => {}): Logger {
  const guard = (level: keyof Logger) => (fields: object, message?: string) => {
    try {
      logger[level](fields, message)
    } catch (error) {
      try {
        report(error)
      } catch {
        // Neither place takes it; nobody is left to tell.
      }
    }
  }
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') }
}
