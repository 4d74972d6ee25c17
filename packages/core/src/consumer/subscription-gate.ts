import type { Clock } from '../clock.ts'
import { checkKnown, invalidOption, wholeNumber } from '../options.ts'
import type { SubscribeOptions } from '../subscription-options.ts'
import { toCircuit } from './circuit.ts'
import { bothGates, type Gate, openGate, rateLimitGate } from './gate.ts'

/** What gates the fetching of a subscription: its rate limit, its circuit, both or nothing. */
export function gateOf(options: SubscribeOptions, clock: Clock): Gate {
  let gate = openGate
  if (options.rateLimit !== undefined) {
    checkKnown('rateLimit', options.rateLimit, ['perSecond', 'burst'])
    const { perSecond, burst } = options.rateLimit
    if (!(typeof perSecond === 'number' && perSecond > 0))
      throw invalidOption('rateLimit.perSecond', 'expected a number above 0')
    const size = wholeNumber('rateLimit.burst', burst, { min: 1, default: Math.max(1, Math.ceil(perSecond)) })
    gate = rateLimitGate(perSecond, size, clock)
  }
  if (options.circuit === undefined || options.circuit === false) return gate
  const circuit = toCircuit(options.circuit, clock)
  return gate === openGate ? circuit : bothGates(circuit, gate)
}
