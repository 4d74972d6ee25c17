import { evtError } from './errors.ts'

const legal = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const maxBytes = 200

/** Throws `EVT_NAME_INVALID` unless the name of an event, service, group or instance is legal on every transport. */
export function checkName(kind: string, name: unknown): string {
  if (typeof name !== 'string') {
    throw evtError('EVT_NAME_INVALID', `The ${kind} name must be text, not ${typeof name}`, { kind, name: typeof name })
  }
  if (name.length > maxBytes || !legal.test(name)) {
    const shown = JSON.stringify(name.slice(0, maxBytes))
    throw evtError(
      'EVT_NAME_INVALID',
      `${shown} is no ${kind} name: letters, digits, "_" and "-", in parts joined by single dots, at most ${maxBytes} bytes`,
      { kind, name: shown },
    )
  }
  return name
}

/**
 * Encodes a name so that it is legal and distinct on every broker: `[A-Za-z0-9.]` stay, `-` becomes `--`,
 * any other UTF-8 byte `-hh`, a leading, trailing or doubled dot `-2e`. Names over 200 bytes are refused.
 */
export function encodeTopic(namespace: string, name: string): string {
  const encoded = `${encodePart(namespace)}.${encodePart(name)}`
  if (encoded.length > maxBytes) {
    throw evtError(
      'EVT_NAME_INVALID',
      `The topic of "${name}" has ${encoded.length} bytes, at most ${maxBytes} are legal`,
      {
        kind: 'topic',
        name,
      },
    )
  }
  return encoded
}

function encodePart(name: string): string {
  const bytes = Buffer.from(name, 'utf8')
  let encoded = ''
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index]!
    const character = String.fromCharCode(byte)
    if (character === '-') encoded += '--'
    else if (/[A-Za-z0-9]/.test(character)) encoded += character
    else if (character === '.' && index > 0 && index < bytes.length - 1 && bytes[index - 1] !== byte) encoded += '.'
    else encoded += `-${byte.toString(16).padStart(2, '0')}`
  }
  return encoded
}
