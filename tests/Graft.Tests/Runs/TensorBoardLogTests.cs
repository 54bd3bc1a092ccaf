using System.Buffers.Binary;
using System.Text;
using Graft.Networks;
using Graft.Runs;
using Graft.Testing;

namespace Graft.Tests.Runs;

/// <summary>Against a strict reader of its own, written from the format's description.</summary>
public class TensorBoardLogTests
{
    /// <summary>Record by record: length, its checksum, data, its checksum.</summary>
    private static List<byte[]> Records(byte[] file)
    {
        var records = new List<byte[]>();
        for (var at = 0; at < file.Length;)
        {
            var length = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(at));
            Assert.Equal(Masked(file.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            var data = file.AsSpan(at + 12, length).ToArray();
            Assert.Equal(Masked(data), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)));
            records.Add(data);
            at += 16 + length;
        }
        return records;
    }

    /// <summary>CRC-32C bit by bit, from its polynomial.</summary>
    private static uint Masked(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }
        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    private static List<(int Field, object Value)> Fields(byte[] message)
    {
        var fields = new List<(int, object)>();
        for (var at = 0; at < message.Length;)
        {
            var tag = (int)Varint(message, ref at);
            switch (tag & 7)
            {
                case 0: fields.Add((tag >> 3, (long)Varint(message, ref at))); break;
                case 1: fields.Add((tag >> 3, BitConverter.ToDouble(message, at))); at += 8; break;
                case 5: fields.Add((tag >> 3, BitConverter.ToSingle(message, at))); at += 4; break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    fields.Add((tag >> 3, message[at..(at + length)]));
                    at += length;
                    break;
                default: throw new InvalidDataException($"wire type {tag & 7}");
            }
        }
        return fields;
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        var (value, shift) = (0UL, 0);
        while (true)
        {
            var next = message[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
            shift += 7;
        }
    }

    private static T Field<T>(List<(int Field, object Value)> fields, int number) => (T)fields.Single(field => field.Field == number).Value;

    private static List<(long Step, string Tag, List<(int Field, object Value)> Value)> Written(Action<TensorBoardLog> write)
    {
        using var folder = new TemporaryFolder();
        using (var log = new TensorBoardLog(folder.File("events"))) write(log);
        var records = Records(File.ReadAllBytes(Directory.GetFiles(folder.File("events")).Single()));
        Assert.Equal("brain.Event:2", Encoding.UTF8.GetString(Field<byte[]>(Fields(records[0]), 3)));
        return [.. records.Skip(1).Select(record =>
        {
            var entry = Fields(record);
            var value = Fields(Field<byte[]>(Fields(Field<byte[]>(entry, 5)), 1));
            return (Field<long>(entry, 2), Encoding.UTF8.GetString(Field<byte[]>(value, 1)), value);
        })];
    }

    [Fact]
    public void Scalars_have_tag_step_and_value()
    {
        var written = Written(log =>
        {
            log.Scalar("loss", 1, 0.5);
            log.Scalar("loss", 300, -1e-3);
        });

        Assert.Equal([("loss", 1, 0.5f), ("loss", 300, -1e-3f)], written.Select(entry => (entry.Tag, (int)entry.Step, Field<float>(entry.Value, 2))));
    }

    [Fact]
    public void Histogram_counts_every_value_in_its_bucket()
    {
        float[] values = [-2, -2.01f, 0, 0, 0, 1e-30f, 0.5f, 3e25f];

        var histogram = Fields(Field<byte[]>(Written(log => log.Histogram("weights", 7, values)).Single().Value, 5));

        Assert.Equal(-2.01, Field<double>(histogram, 1), 1e-6);
        Assert.Equal(3e25, Field<double>(histogram, 2), 1e20);
        Assert.Equal(values.Length, Field<double>(histogram, 3));
        double[] Packed(int field) => [.. Field<byte[]>(histogram, field).Chunk(8).Select(bytes => BitConverter.ToDouble(bytes))];
        var (limits, counts) = (Packed(6), Packed(7));
        Assert.Equal(limits.Length, counts.Length);
        Assert.Equal(limits.Order(), limits);
        Assert.Equal(values.Length, counts.Sum());
        // Each value lies below its bucket's limit and not below the one before.
        foreach (var value in values.Distinct())
        {
            var bucket = Array.FindIndex(limits, limit => value < limit);
            Assert.True(counts[bucket] > 0, $"{value}");
        }
    }

    [Fact]
    public void Graph_has_a_node_for_each_layer_with_its_inputs_and_shape()
    {
        var builder = new NetworkBuilder("net");
        var x = builder.Input("image", 3, 8).Convolution("block.conv", 4, 3, padding: Padding.Same);
        var network = builder.Build(x.Relu("block.relu").Add("block", x));
        using var folder = new TemporaryFolder();
        using (var log = new TensorBoardLog(folder.File("events"))) log.Graph(network);

        var entry = Fields(Records(File.ReadAllBytes(Directory.GetFiles(folder.File("events")).Single()))[1]);
        var graph = Fields(Field<byte[]>(entry, 4));

        var nodes = graph.Where(field => field.Field == 1).Select(field => Fields((byte[])field.Value)).ToList();
        string Text(object value) => Encoding.UTF8.GetString((byte[])value);
        Assert.Equal(["image", "block/conv", "block/relu", "block/output"], nodes.Select(node => Text(node.Single(field => field.Field == 1).Value)));
        Assert.Equal(["Input", "Conv", "Relu", "Add"], nodes.Select(node => Text(node.Single(field => field.Field == 2).Value)));
        Assert.Equal(["block/relu", "block/conv"], nodes[3].Where(field => field.Field == 3).Select(field => Text(field.Value)));
        var attribute = Fields(Field<byte[]>(nodes[1], 5));
        Assert.Equal("_output_shapes", Text(Field<byte[]>(attribute, 1)));
        var shape = Fields(Field<byte[]>(Fields(Field<byte[]>(Fields(Field<byte[]>(attribute, 2)), 1)), 7));
        Assert.Equal([-1, 4, 8, 8], shape.Select(size => Field<long>(Fields((byte[])size.Value), 1)));
        Assert.True(Field<long>(Fields(Field<byte[]>(graph, 4)), 1) > 0);
    }

    [Fact]
    public void Picture_carries_its_size_and_file()
    {
        var image = Fields(Field<byte[]>(Written(log => log.Image("photos", 0, 640, 480, [1, 2, 3])).Single().Value, 4));

        Assert.Equal((480, 640), (Field<long>(image, 1), Field<long>(image, 2)));
        Assert.Equal([1, 2, 3], Field<byte[]>(image, 4));
    }
}
