import type { ErrorRecord } from './transport.ts'

/** The errors that a transport keeps beside a dead letter, as JSON. None for what somebody else has written there. */
export function readErrorHistory(text: string | undefined): readonly ErrorRecord[] {
  try {
    const history: unknown = JSON.parse(text ?? '')
    return Array.isArray(history) ? history.filter(isRecord) : []
  } catch {
    return []
  }
}

function isRecord(value: unknown): value is ErrorRecord {
  const { attempt, name, message, code, at } = (value ?? {}) as Partial<ErrorRecord>
  const isText = [name, message, at, code ?? ''].every((part) => typeof part === 'string')
  return isText && Number.isSafeInteger(attempt)
}
