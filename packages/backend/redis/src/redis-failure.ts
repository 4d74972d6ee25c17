import { evtError, isEvtError } from '@evt/core'
import { replyWord } from './errors.ts'

/** Whether a server answered with an error, so that the command had no effect. */
export function isServerReply(error: unknown): boolean {
  return replyWord(error) !== undefined
}

// The last two are what scripts are told: Redis 7.2 and later, and 7.0.
const denials = /^(NOPERM|NOAUTH|WRONGPASS)\b|\bACL failure in script|\buser executing the script can't run/

const advice: Readonly<Record<string, string>> = {
  MISCONF: 'the server cannot write its snapshot to disk and refuses writes (MISCONF)',
  OOM: 'the server has used its maxmemory and refuses writes (OOM)',
  NOREPLICAS: 'the server has fewer replicas than min-replicas-to-write (NOREPLICAS)',
}

/** The typed error of what went wrong while doing something; anything it does not know is returned as it is. */
export function redisFailure(error: unknown, operation: string): unknown {
  if (isEvtError(error)) return error
  const word = replyWord(error)
  const message = error instanceof Error ? error.message : String(error)
  if (word === undefined) {
    if (!isConnectionFailure(error)) return error
    const text = `${operation}: Redis cannot be reached: ${message}`
    return evtError('EVT_REDIS_UNAVAILABLE', text, { operation }, { cause: error, retryable: true })
  }
  if (word === 'LOADING' || word === 'MASTERDOWN' || word === 'CLUSTERDOWN' || word === 'BUSY' || word === 'TRYAGAIN') {
    const text = `${operation}: Redis is not ready: ${message}`
    return evtError('EVT_REDIS_UNAVAILABLE', text, { operation }, { cause: error, retryable: true })
  }
  if (denials.test(message)) {
    const text = `${operation}: Redis does not let this user do it: ${message}`
    // No message is at fault, and whoever mends that need not restart anything.
    return evtError('EVT_REDIS_DENIED', text, { operation }, { cause: error, retryable: true })
  }
  if (word === 'READONLY') {
    const text = `${operation}: the server is a read-only replica; connect to the master`
    return evtError('EVT_REDIS_READONLY', text, { operation }, { cause: error, retryable: true })
  }
  if (word in advice) {
    const text = `${operation}: ${advice[word]}`
    return evtError('EVT_REDIS_WRITES_REFUSED', text, { operation, reason: word }, { cause: error, retryable: true })
  }
  if (word === 'WRONGTYPE') {
    const text = `${operation}: a key holds another type of value than this adapter keeps there: ${message}`
    return evtError('EVT_REDIS_WRONG_TYPE', text, { operation }, { cause: error })
  }
  return error
}

function isConnectionFailure(error: unknown): boolean {
  const { code, name, message } = (typeof error === 'object' && error !== null ? error : {}) as Partial<
    Record<string, unknown>
  >
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code) && !code.startsWith('EVT_')) return true
  if (name === 'MaxRetriesPerRequestError' || name === 'AbortError') return true
  return typeof message === 'string' && /connection is closed|stream isn't writeable|timed out|ended by/i.test(message)
}
