import { evtError, type Headers, type Outgoing } from '@evt/core'
import type { HeaderBytes } from './client.ts'
import { headerWriter } from './headers.ts'

const keyHeader = 'evt-key'

/** A message's headers as bytes, its key among them. Throws for what is too large or cannot travel. */
export type MessageEncoder = (outgoing: Outgoing, control: Record<string, string>, maxBytes: number) => HeaderBytes

export function messageEncoder(): MessageEncoder {
  const write = headerWriter()
  return ({ key, headers, payload }, control, maxBytes) => {
    if (key !== undefined && headers['ce-partitionkey'] !== key) control[keyHeader] = key
    const encoded = write(control, headers)
    const bytes = encoded.byteLength + payload.byteLength
    if (bytes > maxBytes) {
      const text = `The message has ${bytes} bytes with its headers, at most ${maxBytes} travel`
      throw evtError('EVT_PAYLOAD_TOO_LARGE', text, { bytes, maxBytes })
    }
    return encoded
  }
}
/** The key of a message that has arrived; takes our own header out. */
export function takeKey(headers: Record<string, string>): string | undefined {
  const own = headers[keyHeader]
  if (own === undefined) return headers['ce-partitionkey']
  delete headers[keyHeader]
  return own
}
/** Headers of our own on a message that must not reach a handler. */
export function takeHeader(headers: Record<string, string>, name: string): Headers[string] | undefined {
  const value = headers[name]
  delete headers[name]
  return value
}
