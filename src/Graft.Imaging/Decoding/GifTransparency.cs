namespace Graft.Imaging;

/// <summary>
/// A transparent GIF pixel has a palette colour, which Pillow keeps when it drops alpha; Skia makes it black. Without
/// the first frame's transparency flag (GIF89a, section 23) every pixel keeps its colour.
/// </summary>
internal static class GifTransparency
{
    public static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> file)
    {
        var flags = FlagsOfFirstFrame(file.Span);
        if (flags < 0 || (file.Span[flags] & 1) == 0) return file;
        var copy = file.ToArray();
        copy[flags] &= 0xFE;
        return copy;
    }

    private static int FlagsOfFirstFrame(ReadOnlySpan<byte> gif)
    {
        if (gif.Length < 13) return -1;
        var at = 13 + ((gif[10] & 0x80) != 0 ? 3 * (2 << (gif[10] & 7)) : 0);
        var flags = -1;
        while (at + 3 < gif.Length && gif[at] == 0x21)
        {
            if (gif[at + 1] == 0xF9) flags = at + 3;
            for (at += 2; at < gif.Length && gif[at] != 0; at += gif[at] + 1) { }
            at++;
        }
        return flags < gif.Length ? flags : -1;
    }
}
