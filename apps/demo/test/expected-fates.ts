import { generateOrders } from '../src/generate-orders.ts'
import { parseLine } from '../src/parse-line.ts'
import { strikes } from '../src/random.ts'

/** What must become of a sample, from its lines alone. */
export function expectedFates(count: number, seed: number) {
  const ids = new Set<string>()
  const fates = {
    in: count,
    accepted: 0,
    rejected: 0,
    repeated: 0,
    paid: 0,
    shipped: 0,
    cancelled: 0,
    dead: 0,
    failures: 0,
  }
  for (const line of generateOrders({ count, seed })) {
    const parsed = parseLine(line)
    if ('reason' in parsed) fates.rejected += 1
    else if (ids.has(parsed.order.id)) fates.repeated += 1
    else ids.add(parsed.order.id)
  }
  for (const id of ids) {
    fates.accepted += 1
    if (strikes(id, 'payment declined', 0.005)) {
      fates.dead += 1
      continue
    }
    fates.paid += 1
    if (strikes(id, 'gateway away', 0.03)) fates.failures += 1
    if (strikes(id, 'out of stock', 0.02)) {
      fates.cancelled += 1
      continue
    }
    fates.shipped += 1
    if (strikes(id, 'slow carrier', 0.01)) fates.failures += 1
  }
  return fates
}
