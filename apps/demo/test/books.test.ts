import { type Books, checkBooks, type RunFacts } from '../src/books.ts'

const books: Books = {
  lines: 100,
  linesOfSource: 100,
  accepted: 90,
  rejected: 7,
  repeated: 3,
  orders: 90,
  paid: 88,
  reserved: 85,
  shipped: 85,
  cancelled: 3,
  deadLettered: 2,
  open: 0,
  uniqueEffects: 261,
  effects: 261,
  outOfTurn: 0,
  waiting: 0,
  parked: 0,
}
const run: RunFacts = { linesCounted: 100, interrupted: false, open: 0, lossy: false }
const interrupted: RunFacts = { linesCounted: 40, interrupted: true, open: 5, lossy: false }

test('books that agree are clean', () => {
  expect(checkBooks(books, run)).toEqual([])
})

test('a run that a signal ended may leave lines unread and orders open', () => {
  expect(checkBooks({ ...books, shipped: 80, open: 5, waiting: 4 }, interrupted)).toEqual([])
})

const lies: readonly (readonly [string, Partial<Books>, Partial<RunFacts>, string])[] = [
  ['a line read and not counted', { linesOfSource: 99 }, {}, 'lines read = lines counted'],
  ['a line counted twice', { linesOfSource: 101 }, {}, 'lines read = lines counted'],
  ['a line without a fate', { rejected: 6 }, {}, 'in = accepted + rejected + repeated'],
  ['an accepted line without its order', { orders: 89 }, {}, 'accepted lines = orders'],
  ['an order that was lost', { shipped: 84 }, {}, 'accepted = shipped + cancelled + dead-lettered + open'],
  ['an order with two ends', { deadLettered: 3 }, {}, 'accepted = shipped + cancelled + dead-lettered + open'],
  ['an effect that happened twice', { effects: 262 }, {}, 'effects done = effects counted without a guard'],
  ['a shipment that was not paid', { outOfTurn: 1 }, {}, 'effects out of turn = 0'],
  ['a message that a transport refused', { parked: 1 }, {}, 'messages put aside = 0'],
  ['a message that nobody published', { waiting: 1 }, {}, 'messages waiting = 0'],
  ['an order that nobody finished', { shipped: 84, open: 1 }, { open: 1 }, 'open orders = 0'],
  ['an order that this run forgot', { shipped: 84, open: 1 }, {}, 'open orders = those this run waits for'],
]
test.each(lies)('%s is found', (_what, changedBooks, changedRun, rule) => {
  const faults = checkBooks({ ...books, ...changedBooks }, { ...run, ...changedRun })
  expect(faults.map((fault) => fault.split(': ')[0])).toContain(rule)
})

test('a run that a signal ended cannot have counted fewer lines than it read', () => {
  const faults = checkBooks(books, { linesCounted: 101, interrupted: true, open: 0, lossy: false })
  expect(faults).toEqual(['lines read <= lines counted: 101 and 100'])
})

test('where messages may be lost, each open order is one that was published and not handled', () => {
  const lossy = { ...run, lossy: true }
  const lost = { ...books, shipped: 83, open: 2, uniqueEffects: 259, effects: 259 }
  expect(checkBooks(lost, lossy)).toEqual([])
  expect(checkBooks(lost, run)).not.toEqual([])
  expect(checkBooks({ ...lost, open: 1 }, lossy)).toContainEqual(
    expect.stringContaining('published = handled + lost: 263 and 262'),
  )
  expect(checkBooks({ ...lost, waiting: 1 }, lossy)).toEqual(['messages waiting = 0: 1 and 0'])
})
