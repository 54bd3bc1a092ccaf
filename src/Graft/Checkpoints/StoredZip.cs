using System.Buffers.Binary;
using System.Text;

namespace Graft.Checkpoints;

/// <summary>
/// The directory of a zip archive whose entries are stored, not compressed, as <c>torch.save</c> writes them: what it
/// yields is where each entry's bytes lie in the file, so that they can be read on demand (PKWARE APPNOTE 4.3, with zip64).
/// </summary>
internal static class StoredZip
{
    private const uint EndSignature = 0x06054B50, End64Signature = 0x06064B50, EntrySignature = 0x02014B50,
        LocalSignature = 0x04034B50, Locator64Signature = 0x07064B50;
    private const int EndLength = 22, EntryLength = 46, LocalLength = 30, Locator64Length = 20, End64Length = 56;
    private const int DirectoryLimitBytes = 64 << 20, EntryLimit = 200_000;

    public readonly record struct Entry(string Name, long Position, long Length, int Method);

    /// <summary>Whether a file is a sound archive with an entry of this name.</summary>
    public static bool Holds(string path, string name)
    {
        using var file = RandomAccessFile.Open(path);
        try
        {
            return Read(file).ContainsKey(name);
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <exception cref="InvalidDataException">The archive is damaged; the message says how.</exception>
    public static Dictionary<string, Entry> Read(RandomAccessFile file)
    {
        var (position, length, count) = FindDirectory(file);
        if (length > DirectoryLimitBytes) throw new InvalidDataException($"its directory claims {length} bytes");
        ReadOnlySpan<byte> directory = file.Read(position, (int)length);
        if (count > EntryLimit) throw new InvalidDataException($"it has {count} entries, over the limit of {EntryLimit}");
        var entries = new Dictionary<string, Entry>();
        for (var i = 0L; i < count; i++)
        {
            if (directory.Length < EntryLength || UInt32(directory, 0) != EntrySignature)
                throw new InvalidDataException("its directory is damaged");
            int nameLength = UInt16(directory, 28), extraLength = UInt16(directory, 30);
            var total = EntryLength + nameLength + extraLength + UInt16(directory, 32);
            if (directory.Length < total) throw new InvalidDataException("its directory is damaged");

            var name = Encoding.UTF8.GetString(directory.Slice(EntryLength, nameLength));
            long stored = UInt32(directory, 20), size = UInt32(directory, 24), header = UInt32(directory, 42);
            ReadZip64(directory.Slice(EntryLength + nameLength, extraLength), ref size, ref stored, ref header);
            if ((UInt16(directory, 8) & 1) != 0) throw new InvalidDataException($"'{name}' in it is encrypted");
            var method = UInt16(directory, 10);
            if (method == 0 && size != stored) throw new InvalidDataException($"'{name}' in it has two sizes");
            var start = DataStart(file, header, name);
            if (stored < 0 || stored > file.Length - start)
                throw new InvalidDataException($"'{name}' in it is cut short");
            if (!entries.TryAdd(name, new(name, start, stored, method)))
                throw new InvalidDataException($"it holds '{name}' twice");
            directory = directory[total..];
        }
        return entries;
    }

    private static (long Position, long Length, long Count) FindDirectory(RandomAccessFile file)
    {
        var tailLength = (int)Math.Min(file.Length, EndLength + ushort.MaxValue);
        var tailStart = file.Length - tailLength;
        ReadOnlySpan<byte> tail = file.Read(tailStart, tailLength);
        for (var at = tailLength - EndLength; at >= 0; at--)
        {
            if (UInt32(tail, at) != EndSignature || at + EndLength + UInt16(tail, at + 20) != tailLength) continue;
            long count = UInt16(tail, at + 10), length = UInt32(tail, at + 12), position = UInt32(tail, at + 16);
            if (at >= Locator64Length && UInt32(tail, at - Locator64Length) == Locator64Signature)
            {
                var end64 = Int64(tail, at - Locator64Length + 8);
                if (end64 < 0 || end64 > file.Length - End64Length) break;
                ReadOnlySpan<byte> record = file.Read(end64, End64Length);
                if (UInt32(record, 0) != End64Signature) break;
                (count, length, position) = (Int64(record, 32), Int64(record, 40), Int64(record, 48));
            }
            if (count < 0 || length < 0 || position < 0 || position > file.Length - length) break;
            return (position, length, count);
        }
        throw new InvalidDataException("it has no directory at its end (cut short?)");
    }

    /// <summary>Numbers of 4 GB and more stand in an extra field, in this order, each only if it did not fit.</summary>
    private static void ReadZip64(ReadOnlySpan<byte> extra, ref long size, ref long stored, ref long header)
    {
        while (extra.Length >= 4)
        {
            var length = UInt16(extra, 2);
            if (length > extra.Length - 4) return;
            if (UInt16(extra, 0) == 1)
            {
                var values = extra.Slice(4, length);
                Take(ref values, ref size);
                Take(ref values, ref stored);
                Take(ref values, ref header);
                return;
            }
            extra = extra[(4 + length)..];
        }

        static void Take(ref ReadOnlySpan<byte> values, ref long value)
        {
            if (value != uint.MaxValue || values.Length < 8) return;
            value = Int64(values, 0);
            values = values[8..];
        }
    }

    private static long DataStart(RandomAccessFile file, long header, string name)
    {
        if (header < 0 || header > file.Length - LocalLength)
            throw new InvalidDataException($"'{name}' in it is cut short");
        ReadOnlySpan<byte> local = file.Read(header, LocalLength);
        if (UInt32(local, 0) != LocalSignature) throw new InvalidDataException($"'{name}' in it is damaged");
        return header + LocalLength + UInt16(local, 26) + UInt16(local, 28);
    }

    private static ushort UInt16(ReadOnlySpan<byte> bytes, int at) =>
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint UInt32(ReadOnlySpan<byte> bytes, int at) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
