namespace Graft.Imaging;

/// <summary>Reads a photo from a stream, of a request for example, to its end and within the limits of <see cref="DecodingOptions"/>.</summary>
public static class ImageContent
{
    private const int BufferBytes = 81920;

    /// <exception cref="UnreadableImageException">The stream holds more than <see cref="DecodingOptions.MaxFileBytes"/>.</exception>
    public static byte[] ReadToEnd(Stream stream, DecodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var most = (options ?? DecodingOptions.Default).MaxFileBytes;
        using var content = Content(stream, most);
        var buffer = new byte[BufferBytes];
        while (stream.Read(buffer) is > 0 and var count) Append(content, buffer.AsSpan(0, count), most);
        return content.ToArray();
    }

    /// <exception cref="UnreadableImageException">The stream holds more than <see cref="DecodingOptions.MaxFileBytes"/>.</exception>
    public static async Task<byte[]> ReadToEndAsync(Stream stream, DecodingOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var most = (options ?? DecodingOptions.Default).MaxFileBytes;
        using var content = Content(stream, most);
        var buffer = new byte[BufferBytes];
        while (await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false) is > 0 and var count)
            Append(content, buffer.AsSpan(0, count), most);
        return content.ToArray();
    }

    private static MemoryStream Content(Stream stream, long most)
    {
        var rest = stream.CanSeek ? stream.Length - stream.Position : 0;
        if (rest > most) throw TooLarge(most);
        return new((int)Math.Max(0, rest));
    }

    private static void Append(MemoryStream content, ReadOnlySpan<byte> bytes, long most)
    {
        if (content.Length + bytes.Length > most) throw TooLarge(most);
        content.Write(bytes);
    }

    private static UnreadableImageException TooLarge(long most) =>
        new($"too large: more than {most} bytes. Raise {nameof(DecodingOptions.MaxFileBytes)} to read it.");
}
