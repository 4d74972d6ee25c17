import { seededRandom } from './random.ts'

const shares = { invalid: 0.015, broken: 0.01, repeated: 0.005 }
/** How many good lines are remembered to be repeated. */
const remembered = 1_000

/** Order lines for trying things out: 97 % good, the rest fail the schema, are no JSON, or repeat an earlier order. */
export function* generateOrders({ count, seed }: { readonly count: number; readonly seed: number }): Generator<string> {
  const random = seededRandom(seed)
  const whole = (limit: number) => Math.floor(random() * limit)
  const kinds = kindsOf(count, whole)
  const good: string[] = []
  for (const [index, kind] of kinds.entries()) {
    const order = {
      id: `order-${String(index + 1).padStart(6, '0')}`,
      customer: { name: `Customer ${whole(1_000)}`, email: `customer${whole(1_000)}@example.com` },
      items: Array.from({ length: 1 + whole(3) }, () => ({ sku: `sku-${whole(200)}`, quantity: 1 + whole(5) })),
      totalCents: 100 + whole(50_000),
    }
    const line = JSON.stringify(order)
    if (kind === 'repeated') yield good[whole(good.length)]!
    else if (kind === 'broken') yield line.slice(0, Math.floor(line.length / 2))
    else if (kind === 'invalid') yield JSON.stringify(spoil(order, whole(4)))
    else {
      good[good.length < remembered ? good.length : whole(remembered)] = line
      yield line
    }
  }
}

type Kind = 'good' | keyof typeof shares

function kindsOf(count: number, whole: (limit: number) => number): readonly Kind[] {
  const kinds = Array<Kind>(count).fill('good')
  let next = 0
  for (const kind of Object.keys(shares) as (keyof typeof shares)[]) {
    const end = next + Math.round(count * shares[kind])
    kinds.fill(kind, next, end)
    next = end
  }
  for (let last = count - 1; last > 0; last -= 1) {
    const other = whole(last + 1)
    ;[kinds[last], kinds[other]] = [kinds[other]!, kinds[last]!]
  }
  // A repeated line needs something to repeat.
  const firstGood = kinds.indexOf('good')
  if (firstGood > 0) [kinds[0], kinds[firstGood]] = [kinds[firstGood]!, kinds[0]!]
  return kinds
}

function spoil(order: { readonly totalCents: number }, way: number): object {
  if (way === 0) return { ...order, totalCents: -order.totalCents }
  if (way === 1) return { ...order, items: [] }
  if (way === 2) return { ...order, customer: { name: 'Customer', email: 'nowhere' } }
  return { ...order, customer: undefined }
}
