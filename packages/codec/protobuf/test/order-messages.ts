import type { MessageInitShape } from '@bufbuild/protobuf'
import { create, createFileRegistry, type DescMessage, type Message } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import {
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  type Timestamp,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'

type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>

/** What a code generator would write of the descriptor below. */
export type Order = Message<'shop.Order'> & {
  id: string
  amount: number
  cents: bigint
  receipt: Uint8Array
  deltas: number[]
  tags: string[]
  notes: { [key: string]: string }
  at?: Timestamp | undefined
  parent?: Order | undefined
  payment: { case: 'card'; value: string } | { case: 'cash'; value: boolean } | { case: undefined; value?: undefined }
  status: number
  crc: number
  parts: Order[]
  byNumber: { [key: number]: Order }
  weights: number[]
}

const field = (number: number, name: string, type: Type, more: Field = {}): Field => ({
  number,
  name,
  type,
  label: Label.OPTIONAL,
  ...more,
})
const many = { label: Label.REPEATED }
const message = (typeName: string): Field => ({ typeName })

const file = create(FileDescriptorProtoSchema, {
  name: 'shop.proto',
  package: 'shop',
  syntax: 'proto3',
  dependency: ['google/protobuf/timestamp.proto', 'google/protobuf/struct.proto'],
  enumType: [
    {
      name: 'Status',
      value: [
        { name: 'OPEN', number: 0 },
        { name: 'PAID', number: 1 },
      ],
    },
  ],
  messageType: [
    {
      name: 'Order',
      oneofDecl: [{ name: 'payment' }],
      nestedType: [
        {
          name: 'NotesEntry',
          options: { mapEntry: true },
          field: [field(1, 'key', Type.STRING), field(2, 'value', Type.STRING)],
        },
        {
          name: 'ByNumberEntry',
          options: { mapEntry: true },
          field: [field(1, 'key', Type.INT32), field(2, 'value', Type.MESSAGE, message('.shop.Order'))],
        },
      ],
      field: [
        field(1, 'id', Type.STRING),
        field(2, 'amount', Type.DOUBLE),
        field(3, 'cents', Type.INT64),
        field(4, 'receipt', Type.BYTES),
        field(5, 'deltas', Type.SINT32, many),
        field(6, 'tags', Type.STRING, many),
        field(7, 'notes', Type.MESSAGE, { ...many, ...message('.shop.Order.NotesEntry') }),
        field(8, 'at', Type.MESSAGE, message('.google.protobuf.Timestamp')),
        field(9, 'parent', Type.MESSAGE, message('.shop.Order')),
        field(10, 'card', Type.STRING, { oneofIndex: 0 }),
        field(11, 'cash', Type.BOOL, { oneofIndex: 0 }),
        field(12, 'status', Type.ENUM, message('.shop.Status')),
        field(13, 'crc', Type.FIXED32),
        field(14, 'parts', Type.MESSAGE, { ...many, ...message('.shop.Order') }),
        field(15, 'by_number', Type.MESSAGE, { ...many, ...message('.shop.Order.ByNumberEntry') }),
        field(16, 'weights', Type.FLOAT, many),
      ],
    },
    {
      name: 'OrderId',
      field: [field(1, 'id', Type.STRING)],
    },
    {
      name: 'Anything',
      field: [field(1, 'data', Type.MESSAGE, message('.google.protobuf.Struct'))],
    },
  ],
})
const group = create(FileDescriptorProtoSchema, {
  name: 'old.proto',
  package: 'old',
  syntax: 'proto2',
  messageType: [
    {
      name: 'Old',
      nestedType: [{ name: 'Part', field: [field(1, 'id', Type.STRING)] }],
      field: [field(1, 'part', Type.GROUP, message('.old.Old.Part'))],
    },
  ],
})
const known = [file_google_protobuf_timestamp, file_google_protobuf_struct]
const registry = createFileRegistry(file, (name) => known.find((each) => each.proto.name === name))
const old = createFileRegistry(group, () => undefined)

function found(descriptor: DescMessage | undefined): DescMessage {
  if (descriptor === undefined) throw new Error('no such message')
  return descriptor
}

export const OrderSchema = found(registry.getMessage('shop.Order')) as GenMessage<Order>
/** An order before it had anything but its id. */
export const OrderIdSchema = found(registry.getMessage('shop.OrderId')) as GenMessage<
  Message<'shop.OrderId'> & { id: string }
>
export const AnythingSchema: DescMessage = found(registry.getMessage('shop.Anything'))
export const GroupSchema: DescMessage = found(old.getMessage('old.Old'))
