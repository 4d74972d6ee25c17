import { seededRandom } from './random.ts'

const shares = { invalid: 0.015, broken: 0.01, repeated: 0.005 }

/** Order lines for trying things out: 97 % good, the rest fail the schema, are no JSON, or repeat an earlier order. */
export function* generateOrders({ count, seed }: { readonly count: number; readonly seed: number }): Generator<string> {
  const random = seededRandom(seed)
  const whole = (limit: number) => Math.floor(random() * limit)
  const kinds = [
    ...Array<'invalid'>(Math.round(count * shares.invalid)).fill('invalid'),
    ...Array<'broken'>(Math.round(count * shares.broken)).fill('broken'),
    ...Array<'repeated'>(Math.round(count * shares.repeated)).fill('repeated'),
  ] as ('good' | 'invalid' | 'broken' | 'repeated')[]
  while (kinds.length < count) kinds.push('good')
  for (let last = kinds.length - 1; last > 0; last -= 1) {
    const other = whole(last + 1)
    ;[kinds[last], kinds[other]] = [kinds[other]!, kinds[last]!]
  }
  // A repeated line needs something to repeat.
  const firstGood = kinds.indexOf('good')
  if (firstGood > 0) [kinds[0], kinds[firstGood]] = [kinds[firstGood]!, kinds[0]!]

  const good: string[] = []
  for (const [index, kind] of kinds.entries()) {
    const order = {
      id: `order-${String(index + 1).padStart(6, '0')}`,
      customer: { name: `Customer ${whole(1_000)}`, email: `customer${whole(1_000)}@example.com` },
      items: Array.from({ length: 1 + whole(3) }, () => ({ sku: `sku-${whole(200)}`, quantity: 1 + whole(5) })),
      totalCents: 100 + whole(50_000),
    }
    const line = JSON.stringify(order)
    if (kind === 'good') good.push(line)
    if (kind === 'repeated') yield good[whole(good.length)]!
    else if (kind === 'broken') yield line.slice(0, Math.floor(line.length / 2))
    else if (kind === 'invalid') yield JSON.stringify({ ...order, totalCents: -order.totalCents })
    else yield line
  }
}
