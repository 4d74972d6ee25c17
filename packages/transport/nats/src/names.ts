import { encodeTopic, evtError } from '@evt/core'

// The client executes a line break in a subject (nats.js 2.29.3), so nothing gets there that was not looked at here.
const legal = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const maxBytes = 200

/** Throws `EVT_NAME_INVALID` unless a name may become part of a subject. */
export function checkSubject(kind: string, name: unknown): string {
  if (typeof name === 'string' && name.length <= maxBytes && legal.test(name)) return name
  const shown = JSON.stringify(typeof name === 'string' ? name.slice(0, maxBytes) : typeof name)
  throw evtError('EVT_NAME_INVALID', `${shown} is no ${kind} on NATS`, { kind, name: shown })
}

/** A name as one token of a subject, or as a durable: injective, without dots, and of a kind that shows. */
export function token(kind: string, name: string): string {
  return encodeTopic(kind, name).replaceAll('.', '_')
}
/** The name that such a token was made of. */
export function readToken(text: string): string {
  const encoded = text.slice(text.indexOf('_') + 1).replaceAll('_', '.')
  const bytes = encoded.replace(/-(-|[0-9a-f]{2})/g, (_all, code: string) => {
    return code === '-' ? code : String.fromCharCode(Number.parseInt(code, 16))
  })
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
