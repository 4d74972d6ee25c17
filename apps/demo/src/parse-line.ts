import { type Order, OrderCreated } from './events.ts'
import { maxLineLength } from './read-lines.ts'

const maxReasonLength = 500

/** What a line holds: an order, or the reason why it holds none, which repeats nothing of the line. */
export function parseLine(text: string): { readonly order: Order } | { readonly reason: string } {
  if (text.length > maxLineLength) return { reason: `longer than ${maxLineLength} characters` }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { reason: 'not JSON' }
  }
  const result = OrderCreated.schema['~standard'].validate(value)
  if (result instanceof Promise) throw new Error('the schema of an order is synchronous')
  if (result.issues === undefined) return { order: result.value as Order }
  return {
    reason: result.issues
      .map((issue) => `${(issue.path ?? []).map(String).join('.')}: ${issue.message}`)
      .join('; ')
      .slice(0, maxReasonLength),
  }
}
