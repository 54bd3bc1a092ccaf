namespace Graft.Tests.Imaging;

/// <summary>An uncompressed little-endian TIFF of one strip, written tag by tag; <c>more</c> adds to the usual ones or replaces them.</summary>
internal static class HandmadeTiff
{
    public static byte[] Write(
        int width, int height, int bits, int samples, int photometric, ReadOnlySpan<byte> pixels, int orientation = 1,
        int? claimedHeight = null, params (int Tag, int[] Values)[] more)
    {
        var rows = claimedHeight ?? height;
        (int Tag, int[] Values)[] usual =
        [
            (256, [width]), (257, [rows]), (258, [.. Enumerable.Repeat(bits, samples)]), (259, [1]),
            (262, [photometric]), (273, [8]), (274, [orientation]), (277, [samples]), (278, [rows]),
            (279, [pixels.Length]),
        ];
        (int Tag, int[] Values)[] tags = [.. usual.ExceptBy(more.Select(tag => tag.Tag), tag => tag.Tag), .. more];
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        var values = 8 + pixels.Length + pixels.Length % 2;
        writer.Write("II"u8);
        writer.Write((short)42);
        writer.Write(values + tags.Sum(tag => tag.Values.Length * 4));
        writer.Write(pixels);
        if (pixels.Length % 2 != 0) writer.Write((byte)0);
        // Four bytes of room for each value, used or not.
        foreach (var (tag, list) in tags)
        {
            foreach (var value in list)
            {
                if (IsLong(tag)) writer.Write(value);
                else writer.Write((ushort)value);
            }
            writer.Write(new byte[list.Length * (IsLong(tag) ? 0 : 2)]);
        }
        writer.Write((short)tags.Length);
        foreach (var (tag, list) in tags.OrderBy(tag => tag.Tag))
        {
            writer.Write((short)tag);
            writer.Write((short)(IsLong(tag) ? 4 : 3));
            writer.Write(list.Length);
            var at = values + tags.TakeWhile(other => other.Tag != tag).Sum(other => other.Values.Length * 4);
            if (IsLong(tag) && list.Length == 1) writer.Write(list[0]);
            else if (!IsLong(tag) && list.Length <= 2) writer.Write(list[0] | (list.Length == 2 ? list[1] << 16 : 0));
            else writer.Write(at);
        }
        writer.Write(0);
        return file.ToArray();
    }

    private static bool IsLong(int tag) => tag is 256 or 257 or 273 or 278 or 279;
}
