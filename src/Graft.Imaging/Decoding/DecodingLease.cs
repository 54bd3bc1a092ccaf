namespace Graft.Imaging;

/// <summary>
/// What one picture takes of <see cref="DecodingBudget.Process"/>. A decoder says what it needs once the header is read and before it
/// allocates.
/// </summary>
internal sealed class DecodingLease : IDisposable
{
    private DecodingOptions _options = DecodingOptions.Default;
    private long _fileBytes, _bytes, _droppedBytes;

    /// <summary>The limits of the picture that is decoded, and the size of its file.</summary>
    public void Begin(DecodingOptions options, long fileBytes) => (_options, _fileBytes) = (options, fileBytes);

    /// <summary>Checks what a picture needs against the limits, then takes it; a picture inside the picture takes no more.</summary>
    /// <param name="width">Of the picture.</param>
    /// <param name="height">Of the picture.</param>
    /// <param name="bytes">The most that is allocated at a time, the result included.</param>
    /// <exception cref="UnreadableImageException">It is above the limits.</exception>
    public void Take(int width, int height, long bytes)
    {
        _options.CheckPixels(width, height);
        _options.CheckMemory(width, height, bytes);
        if (_bytes > 0) return;
        DecodingBudget.Process.Take(bytes + _fileBytes);
        _bytes = bytes + _fileBytes;
    }

    /// <summary>Nobody uses the picture after the lease.</summary>
    public void Drop(RgbImage image) => _droppedBytes = image.Pixels.LongLength;

    public void Dispose()
    {
        if (_bytes == 0) return;
        DecodingBudget.Process.Return(_bytes, _droppedBytes);
        _bytes = 0;
    }
}
