import { checkDefaults } from '../consumer/settings.ts'
import { checkName } from '../names.ts'
import { checkFunction, checkKnown, checkMethods, invalidOption } from '../options.ts'
import type { Transport } from '../transport.ts'
import type { BusOptions } from './bus.ts'

const known = [
  'service',
  'namespace',
  'transport',
  'transports',
  'routes',
  'defaultTransport',
  'outbox',
  'outsideTransaction',
  'deadLetters',
  'use',
  'codecs',
  'defaults',
  'publishTimeoutMs',
  'maxPayloadBytes',
  'logger',
  'onError',
  'clock',
  'random',
]

/** Throws for what is no part of a bus, naming it. */
export function checkParts(options: BusOptions<never>): void {
  checkKnown('createBus', options, known)
  const { logger, onError, clock, random, deadLetters, outbox, codecs = [], defaults = {} } = options
  if (logger !== undefined) checkMethods('logger', logger, ['debug', 'info', 'warn', 'error'])
  if (onError !== undefined) checkFunction('onError', onError)
  if (clock !== undefined) checkMethods('clock', clock, ['nowMs', 'monotonicMs', 'startTimer'])
  if (random !== undefined) checkFunction('random', random)
  if (deadLetters !== undefined) checkMethods('deadLetters', deadLetters, ['append'])
  if (outbox !== undefined) checkMethods('outbox', outbox, ['ambient', 'append', 'store', 'start', 'stop', 'health'])
  if (!Array.isArray(codecs)) throw invalidOption('codecs', 'expected a list of codecs')
  for (const codec of codecs) checkMethods('codecs', codec, ['encode', 'decode'])
  checkDefaults(defaults)
}
/** The transports of a bus by their names, and the one for what no route takes. */
export function transportsOf(options: BusOptions<never>): {
  transports: Readonly<Record<string, Transport>>
  fallback: string
} {
  if (options.transport !== undefined) {
    for (const option of ['transports', 'routes', 'defaultTransport'] as const)
      if (options[option] !== undefined) throw invalidOption(option, 'give either transport or transports')
    checkTransport('transport', options.transport)
    return { transports: { [options.transport.name]: options.transport }, fallback: options.transport.name }
  }
  if (options.transports === undefined)
    throw invalidOption('transport', 'expected a transport, such as memoryTransport()')
  for (const [name, transport] of Object.entries(options.transports)) {
    checkName('transport', name)
    checkTransport(`transports.${name}`, transport)
  }
  return { transports: options.transports, fallback: options.defaultTransport }
}

function checkTransport(option: string, transport: Transport): void {
  checkMethods(option, transport, ['open', 'declare', 'publish', 'consume', 'close'])
}
