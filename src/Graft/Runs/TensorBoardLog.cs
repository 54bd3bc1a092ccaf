using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Graft.Networks;

namespace Graft.Runs;

/// <summary>
/// An event file for TensorBoard: records of a protocol-buffer message <c>Event</c> (tensorflow/core/util/event.proto), each with its length and
/// masked CRC-32C checksums (tensorflow/core/lib/io/record_writer). Flushed record by record; what a killed process leaves can be read.
/// </summary>
public sealed class TensorBoardLog : IDisposable
{
    private const int Varint = 0, Double = 1, Bytes = 2, Float = 5;

    /// <summary>TensorFlow's, of which its readers take any newer than 0.</summary>
    private const int GraphVersion = 22;

    private readonly FileStream _file;

    /// <summary>Begins a new file in a folder, which is made if need be; TensorBoard reads all files of a folder as one course.</summary>
    public TensorBoardLog(string folder)
    {
        Directory.CreateDirectory(folder);
        var started = DateTimeOffset.UtcNow;
        var name = $"events.out.tfevents.{started.ToUnixTimeSeconds():0000000000}.graft.{Environment.ProcessId}";
        _file = new(Path.Combine(folder, name), FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        Write(new Message().Add(1, Seconds(started)).Add(3, "brain.Event:2"));
    }

    /// <summary>A number in the course of the training.</summary>
    public void Scalar(string tag, long step, double value) =>
        Write(Summary(step, new Message().Add(1, tag).Add(2, (float)value)));

    /// <summary>How values are spread, in the buckets of TensorFlow's own histograms.</summary>
    public void Histogram(string tag, long step, ReadOnlySpan<float> values)
    {
        if (values.IsEmpty) return;
        var counts = new double[BucketLimits.Length];
        var (min, max, sum, squares) = (double.MaxValue, double.MinValue, 0.0, 0.0);
        foreach (double value in values)
        {
            (min, max, sum, squares) = (Math.Min(min, value), Math.Max(max, value), sum + value, squares + value * value);
            var bucket = Array.BinarySearch(BucketLimits, value);
            // A limit belongs to the bucket above it.
            counts[Math.Min(bucket < 0 ? ~bucket : bucket + 1, counts.Length - 1)]++;
        }
        int[] used = [.. Enumerable.Range(0, counts.Length).Where(bucket => counts[bucket] > 0 || (bucket + 1 < counts.Length && counts[bucket + 1] > 0))];
        var histogram = new Message().Add(1, min).Add(2, max).Add(3, (double)values.Length).Add(4, sum).Add(5, squares)
            .Add(6, used.Select(bucket => BucketLimits[bucket])).Add(7, used.Select(bucket => counts[bucket]));
        Write(Summary(step, new Message().Add(1, tag).Add(5, histogram)));
    }

    /// <summary>A picture, as a PNG file.</summary>
    public void Image(string tag, long step, int width, int height, ReadOnlySpan<byte> png) =>
        Write(Summary(step, new Message().Add(1, tag).Add(4, new Message().Add(1, height).Add(2, width).Add(3, 3).Add(4, png))));

    /// <summary>The network as a graph: a node for each layer, with its output's shape; blocks fold, as their names have dots.</summary>
    public void Graph(Network network)
    {
        var graph = new Message();
        foreach (var layer in network.Layers)
        {
            var shape = new Message().Add(2, new Message().Add(1, -1));
            foreach (var size in network.ShapeOf(layer.Name).Sizes) shape.Add(2, new Message().Add(1, size));
            var node = new Message().Add(1, NodeName(layer.Name)).Add(2, layer.Operation.Kind);
            foreach (var input in layer.Inputs) node.Add(3, NodeName(input));
            var shapes = new Message().Add(1, "_output_shapes").Add(2, new Message().Add(1, new Message().Add(7, shape)));
            graph.Add(1, node.Add(5, shapes));
        }
        Write(new Message().Add(1, Seconds(DateTimeOffset.UtcNow)).Add(4, graph.Add(4, new Message().Add(1, GraphVersion))));

        // A layer may be named as the block of others is, which a folder of nodes may not.
        string NodeName(string layer) =>
            network.Layers.Any(other => other.Name.StartsWith(layer + ".", StringComparison.Ordinal)) ? $"{layer.Replace('.', '/')}/output" : layer.Replace('.', '/');
    }

    public void Dispose() => _file.Dispose();

    private static double[] BucketLimits { get; } = Limits();

    /// <summary>… -1.1e-12, -1e-12, 0, 1e-12, 1.1e-12, … up to 1e20, and all above.</summary>
    private static double[] Limits()
    {
        var positive = new List<double>();
        for (var limit = 1e-12; limit < 1e20; limit *= 1.1) positive.Add(limit);
        return [.. Enumerable.Reverse(positive).Select(limit => -limit), 0, .. positive, double.MaxValue];
    }

    private static Message Summary(long step, Message value) =>
        new Message().Add(1, Seconds(DateTimeOffset.UtcNow)).Add(2, step).Add(5, new Message().Add(1, value));

    private static double Seconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds() / 1000.0;

    private void Write(Message message)
    {
        var data = message.ToArray();
        var record = new byte[16 + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(record, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedChecksum(record.AsSpan(0, 8)));
        data.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), MaskedChecksum(data));
        _file.Write(record);
        _file.Flush();
    }

    private static uint MaskedChecksum(ReadOnlySpan<byte> data)
    {
        var checksum = uint.MaxValue;
        foreach (var value in data) checksum = BitOperations.Crc32C(checksum, value);
        checksum = ~checksum;
        return BitOperations.RotateRight(checksum, 15) + 0xa282ead8;
    }

    /// <summary>A protocol-buffer message as it is written: fields by number.</summary>
    private sealed class Message
    {
        private readonly ArrayBufferWriter<byte> _data = new();

        public Message Add(int field, long value) => Tag(field, Varint).Number((ulong)value);

        public Message Add(int field, double value)
        {
            Tag(field, Double);
            _data.Write(BitConverter.GetBytes(value));
            return this;
        }

        public Message Add(int field, float value)
        {
            Tag(field, Float);
            _data.Write(BitConverter.GetBytes(value));
            return this;
        }

        public Message Add(int field, string text) => Add(field, Encoding.UTF8.GetBytes(text).AsSpan());

        public Message Add(int field, Message message) => Add(field, message.ToArray().AsSpan());

        /// <summary>Packed.</summary>
        public Message Add(int field, IEnumerable<double> values) => Add(field, values.SelectMany(BitConverter.GetBytes).ToArray().AsSpan());

        public Message Add(int field, ReadOnlySpan<byte> bytes)
        {
            Tag(field, Bytes).Number((ulong)bytes.Length);
            _data.Write(bytes);
            return this;
        }

        public byte[] ToArray() => _data.WrittenSpan.ToArray();

        private Message Tag(int field, int kind) => Number((ulong)(field << 3 | kind));

        private Message Number(ulong value)
        {
            for (; value >= 0x80; value >>= 7) _data.Write([(byte)(value | 0x80)]);
            _data.Write([(byte)value]);
            return this;
        }
    }
}
