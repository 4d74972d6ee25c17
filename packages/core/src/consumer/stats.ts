/** Counts since the subscription began. */
export interface SubscriptionStats {
  received: number
  acknowledged: number
  retried: number
  deadLettered: number
  /** Rejected messages that nobody could keep, by the option `deadLetters: 'drop'`. */
  dropped: number
  expired: number
  filtered: number
  /** Skipped by `latestOnly`. */
  superseded: number
  released: number
  /** Deliveries whose lease was lost. */
  lost: number
  timedOut: number
  /** Unread messages that retention removed, as far as known. */
  cut: number
  inFlight: number
  waiting: number
  held: number
}

export function emptyStats(): SubscriptionStats {
  return {
    received: 0,
    acknowledged: 0,
    retried: 0,
    deadLettered: 0,
    dropped: 0,
    expired: 0,
    filtered: 0,
    superseded: 0,
    released: 0,
    lost: 0,
    timedOut: 0,
    cut: 0,
    inFlight: 0,
    waiting: 0,
    held: 0,
  }
}
