using System.Text;

namespace Graft.Cli;

/// <summary>
/// Standard output or error for text that holds names from data: characters that a terminal would obey are shown instead, see
/// <see cref="VisibleText"/>. A JSON document stays the same document.
/// </summary>
/// <param name="inner">What is written to.</param>
/// <param name="ignoresFailure">
/// Whether text that cannot be written is dropped, as messages are: a full disk behind standard error ends no training.
/// </param>
internal sealed class VisibleWriter(TextWriter inner, bool ignoresFailure) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    /// <summary>The same without a look at what is written, for drawing on a terminal.</summary>
    public static TextWriter Raw(TextWriter inner, bool ignoresFailure) => new VisibleWriter(inner, ignoresFailure) { _isRaw = true };

    private bool _isRaw;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void Write(string? value)
    {
        if (value is not null) Try(() => inner.Write(_isRaw ? value : VisibleText.Of(value, isOneLine: false)));
    }

    public override void WriteLine(string? value) => Write(value + NewLine);

    public override void Flush() => Try(inner.Flush);

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException) when (ignoresFailure)
        {
            // There is nobody to tell.
        }
    }
}
