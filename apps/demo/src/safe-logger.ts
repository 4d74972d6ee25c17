import { isEvtError, type Logger } from '@evt/core'
import { type DestinationStream, pino } from 'pino'
import { allEvents } from './events.ts'

/** Fields whose values name people, wherever they stand. */
const hidden: ReadonlySet<string> = new Set([
  ...allEvents.flatMap((event) => event.sensitive),
  ...['payload', 'payloads', 'value', 'name', 'email', 'text', 'line'],
])
const censored = '[hidden]'
const emailAddress = /[^\s"'<>:,;]+@[^\s"'<>:,;]+/g
const maxDepth = 6
/** Errors of ours that quote what they could not read. */
const quoting = ['EVT_CODEC_DECODE', 'EVT_PAYLOAD_INVALID'] as const

/** Pino, with everything left out that could say who ordered: hidden fields, errors that quote, addresses in text. */
export function safeLogger(level: string, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      hooks: {
        logMethod([fields, message], method) {
          const safe = safeValue(fields instanceof Error ? { error: fields } : fields, 0)
          method.apply(this, (typeof message === 'string' ? [safe, mask(message)] : [safe]) as never)
        },
      },
    },
    destination,
  )
}

/** What an error may say in a log or on the terminal. */
export function describeError(error: unknown): string {
  const { type, code, message } = safeError(error, 0)
  return `${code ?? type}: ${message ?? censored}`.replaceAll(/\s*\n\s*/g, ' ')
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return mask(value)
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  if (depth === maxDepth || ArrayBuffer.isView(value)) return censored
  if (value instanceof Error) return safeError(value, depth)
  if (value instanceof Date) return value
  if (Array.isArray(value)) return value.map((item) => safeValue(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      mask(name),
      hidden.has(name.toLowerCase()) ? censored : safeValue(field, depth + 1),
    ]),
  )
}

interface SafeError {
  readonly type: string
  readonly code: string | undefined
  readonly message: string | undefined
  /** Where it was made, without the message that a stack repeats. */
  readonly at: readonly string[]
  readonly cause: SafeError | undefined
}

// Nothing else of an error is written: a driver puts the row that was refused beside the message.
function safeError(thrown: unknown, depth: number): SafeError {
  if (!(thrown instanceof Error))
    return { type: typeof thrown, code: undefined, message: undefined, at: [], cause: undefined }
  const { code } = thrown as { code?: unknown }
  return {
    type: thrown.name,
    code: typeof code === 'string' ? code : undefined,
    message: quotes(thrown, depth) ? undefined : mask(thrown.message),
    at: (thrown.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line)),
    cause: thrown.cause === undefined || depth === maxDepth ? undefined : safeError(thrown.cause, depth + 1),
  }
}

/** Whether a message may quote data. One that wraps another may repeat it. */
function quotes(error: unknown, depth: number): boolean {
  if (!(error instanceof Error) || depth === maxDepth) return true
  if (error instanceof SyntaxError || 'severity' in error || 'issues' in error) return true
  if (isEvtError(error, ...quoting)) return true
  return error.cause !== undefined && quotes(error.cause, depth + 1)
}

function mask(text: string): string {
  return text.replaceAll(emailAddress, censored)
}
