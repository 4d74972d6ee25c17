import { type Clock, systemClock } from '../clock.ts'
import { checkKnown, invalidOption, wholeNumber } from '../options.ts'
import type { Gate } from './gate.ts'

export interface CircuitOptions {
  /** Consecutive failures that open it. Default 5. */
  readonly failures?: number | undefined
  /** Successful probes that close it again. Default 2. */
  readonly successes?: number | undefined
  /** How long it stays open before a probe. Default 30,000. */
  readonly openMs?: number | undefined
}
/** A circuit breaker as a value: subscriptions that are given the same one open and close together. */
export interface Circuit {
  readonly '~gate': Gate
}

// Another subscription's probe may end at any time.
const probePollMs = 50

/** Makes a breaker to share, for instance between all subscriptions that call one service. */
export function circuitBreaker(options: CircuitOptions = {}, clock: Clock = systemClock): Circuit {
  checkKnown('circuit', options, ['failures', 'successes', 'openMs'])
  const parsed = {
    failures: wholeNumber('circuit.failures', options.failures, { min: 1, default: 5 }),
    successes: wholeNumber('circuit.successes', options.successes, { min: 1, default: 2 }),
    openMs: wholeNumber('circuit.openMs', options.openMs, { min: 1, default: 30_000 }),
  }
  return { '~gate': circuitGate(parsed, clock) }
}

/** The gate of an option: a breaker of its own unless it was given one. */
export function toCircuit(option: CircuitOptions | Circuit | true, clock: Clock): Gate {
  if (option === true) return circuitBreaker({}, clock)['~gate']
  if (typeof option !== 'object' || option === null) throw invalidOption('circuit', 'expected true or an object')
  return '~gate' in option ? option['~gate'] : circuitBreaker(option, clock)['~gate']
}

/** Opens after consecutive failures, then lets one probe go at a time until enough of them succeeded. */
function circuitGate(
  options: { readonly failures: number; readonly successes: number; readonly openMs: number },
  clock: Clock,
): Gate {
  let failures = 0
  let successes = 0
  let probing = false
  let openedMs: number | undefined
  const leftMs = () => (openedMs === undefined ? 0 : openedMs + options.openMs - clock.monotonicMs())
  const open = () => {
    openedMs = clock.monotonicMs()
    successes = 0
  }
  return {
    permits() {
      if (openedMs === undefined) return Number.POSITIVE_INFINITY
      return leftMs() > 0 || probing ? 0 : 1
    },
    waitMs: () => (probing ? probePollMs : Math.max(1, Math.ceil(leftMs()))),
    started() {
      if (openedMs !== undefined) probing = true
    },
    finished(end) {
      if (openedMs === undefined) {
        if (end === 'neither') return
        failures = end === 'succeeded' ? 0 : failures + 1
        if (failures >= options.failures) open()
        return
      }
      // What was running when the circuit opened says nothing about the probe.
      if (!probing) return
      probing = false
      if (end === 'failed') open()
      else if (end === 'succeeded' && ++successes >= options.successes) {
        openedMs = undefined
        failures = 0
      }
    },
    get reason() {
      return openedMs === undefined ? undefined : 'the circuit is open'
    },
  }
}
