/** Hands damaged headers and bytes to whatever reads them, and tells what came of it. */
import { fromJson } from '@bufbuild/protobuf'
import { StructSchema, TypeSchema } from '@bufbuild/protobuf/wkt'
import { msgpackCodec } from '@evt/codec-msgpack'
import { protobufCodec } from '@evt/codec-protobuf'
import { type Codec, jsonCodec } from '@evt/core'
import { codecCases } from '@evt/core/conformance'
import { fuzzEnvelopes } from './fuzz-envelopes.ts'
import { readProgram, report } from './report.ts'
import type { FuzzProgram } from './specification.ts'

const { cases, seed, reader } = readProgram<FuzzProgram>()
const plain = { id: 'ä', list: [1, 2.5, -3, null, true], inner: { text: '😀', empty: '', deep: [[[{ a: 'b' }]]] } }
const rich = { ...plain, at: new Date(0), bytes: Uint8Array.of(0, 255), large: 2n ** 60n, left: undefined }
const struct = fromJson(StructSchema, plain)
/** Messages, lists of them, enumerations, numbers and bytes. */
const described = fromJson(TypeSchema, {
  name: 'ä',
  oneofs: ['a', ''],
  fields: [
    { kind: 'TYPE_INT64', cardinality: 'CARDINALITY_REPEATED', number: -7, name: 'n', packed: true, oneofIndex: 300 },
    { kind: 'TYPE_STRING', options: [{ name: 'o' }], jsonName: 'j', defaultValue: 'd' },
  ],
  options: [{ name: 'o' }],
  sourceContext: { fileName: 'f.proto' },
  syntax: 'SYNTAX_PROTO3',
})

/** The format, and what is damaged of it. */
const codecs: Readonly<Record<string, readonly [Codec, readonly unknown[]]>> = {
  json: [jsonCodec, [plain, [plain, plain]]],
  msgpack: [msgpackCodec(), [rich, [rich, rich]]],
  protobuf: [protobufCodec(TypeSchema), [described]],
  // With maps, which types do not have.
  'protobuf-maps': [protobufCodec(StructSchema), [struct]],
}

const figures = { cases: 0, read: 0, refused: 0, slowestMs: 0 }
/** What one case costs this process, whatever else the machine does. */
function measured<Value>(read: () => Value): Value {
  const started = process.cpuUsage()
  figures.cases += 1
  try {
    const value = read()
    figures.read += 1
    return value
  } catch (error) {
    figures.refused += 1
    throw error
  } finally {
    const { user, system } = process.cpuUsage(started)
    figures.slowestMs = Math.max(figures.slowestMs, (user + system) / 1_000)
  }
}

const startedMs = performance.now()
const found = codecs[reader]
if (found === undefined) fuzzEnvelopes(cases, seed, measured)
else {
  const [codec, samples] = found
  const watched = { ...codec, decode: (bytes: Uint8Array) => measured(() => codec.decode(bytes)) }
  for (const { run } of codecCases(watched, samples, { rounds: cases, seed })) await run()
}
const heapMb = process.memoryUsage().heapUsed / 1_048_576
report({ kind: 'closed', figures: { ...figures, heapMb, tookMs: performance.now() - startedMs } })
