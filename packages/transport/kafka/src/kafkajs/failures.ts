/**
 * What a failed request means for whoever sent it. `fenced`: the session is over. `rebalance`: the group changes.
 * `stale`: the request went to the wrong broker or came too early, nothing was done. `large`: refused for its size.
 */
export type FailureKind = 'fenced' | 'rebalance' | 'stale' | 'missing' | 'outOfRange' | 'large' | 'denied' | 'other'

const kinds: Readonly<Record<string, FailureKind>> = {
  UNKNOWN_MEMBER_ID: 'fenced',
  ILLEGAL_GENERATION: 'fenced',
  FENCED_INSTANCE_ID: 'fenced',
  REBALANCE_IN_PROGRESS: 'rebalance',
  NOT_LEADER_FOR_PARTITION: 'stale',
  LEADER_NOT_AVAILABLE: 'stale',
  FENCED_LEADER_EPOCH: 'stale',
  UNKNOWN_LEADER_EPOCH: 'stale',
  REPLICA_NOT_AVAILABLE: 'stale',
  BROKER_NOT_AVAILABLE: 'stale',
  NOT_ENOUGH_REPLICAS: 'stale',
  GROUP_LOAD_IN_PROGRESS: 'stale',
  COORDINATOR_LOAD_IN_PROGRESS: 'stale',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'stale',
  NOT_COORDINATOR_FOR_GROUP: 'stale',
  UNKNOWN_TOPIC_OR_PARTITION: 'missing',
  UNKNOWN_TOPIC_ID: 'missing',
  OFFSET_OUT_OF_RANGE: 'outOfRange',
  MESSAGE_TOO_LARGE: 'large',
  RECORD_LIST_TOO_LARGE: 'large',
  TOPIC_AUTHORIZATION_FAILED: 'denied',
  GROUP_AUTHORIZATION_FAILED: 'denied',
  CLUSTER_AUTHORIZATION_FAILED: 'denied',
}

/** The errors that mean something here, by their number in the protocol. */
const codes: Readonly<Record<number, string>> = {
  1: 'OFFSET_OUT_OF_RANGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_FOR_PARTITION',
  8: 'BROKER_NOT_AVAILABLE',
  9: 'REPLICA_NOT_AVAILABLE',
  10: 'MESSAGE_TOO_LARGE',
  14: 'GROUP_LOAD_IN_PROGRESS',
  15: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  16: 'NOT_COORDINATOR_FOR_GROUP',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS',
  22: 'ILLEGAL_GENERATION',
  25: 'UNKNOWN_MEMBER_ID',
  27: 'REBALANCE_IN_PROGRESS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  30: 'GROUP_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  82: 'FENCED_INSTANCE_ID',
  100: 'UNKNOWN_TOPIC_ID',
}

/** An error of an answer that is read here, told apart as kafkajs' own are. Undefined for 0, which is none. */
export function protocolError(code: number, doing: string): Error | undefined {
  if (code === 0) return undefined
  const type = codes[code] ?? `error ${code}`
  return Object.assign(new Error(`${doing}: ${type}`), { type })
}

interface Wrapped {
  readonly type?: unknown
  readonly cause?: unknown
  readonly originalError?: unknown
  readonly errors?: unknown
}

/** kafkajs wraps errors in errors: the first with a known type decides. */
export function failureKind(error: unknown, depth = 0): FailureKind {
  if (typeof error !== 'object' || error === null || depth > 5) return 'other'
  const { type, cause, originalError, errors } = error as Wrapped
  const own = typeof type === 'string' ? kinds[type] : undefined
  if (own !== undefined) return own
  for (const inner of [cause, originalError, Array.isArray(errors) ? errors[0] : undefined]) {
    const kind = failureKind(inner, depth + 1)
    if (kind !== 'other') return kind
  }
  return 'other'
}
