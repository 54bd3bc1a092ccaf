using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace Graft.Runs.Reports;

/// <summary>Text that is HTML already.</summary>
internal readonly record struct Markup(string Text)
{
    public static Markup None { get; } = new("");

    public static implicit operator Markup(Html html) => new(html.ToString());

    public override string ToString() => Text;
}

/// <summary>
/// HTML being written. What is interpolated is encoded, unless it is <see cref="Markup"/>, and hidden characters in it are made visible: the
/// name of a file or class can do no harm. Numbers are formatted alike in every culture.
/// </summary>
internal sealed class Html
{
    private readonly StringBuilder _text = new();

    public static Markup Of(ref Fragment fragment) => new(fragment.ToString());

    public Html Add([InterpolatedStringHandlerArgument("")] ref Fragment fragment)
    {
        _ = fragment;
        return this;
    }

    public Html Add(Markup markup)
    {
        _text.Append(markup.Text);
        return this;
    }

    /// <summary>
    /// A file's name or path that may wrap after its separators, because a narrow column would break it anywhere; a short one stays whole.
    /// </summary>
    public static Markup FileName(string name)
    {
        const int Short = 18;
        var html = new StringBuilder(WebUtility.HtmlEncode(VisibleText.Of(name)));
        if (name.Length <= Short) return new(html.ToString());
        foreach (var separator in (ReadOnlySpan<string>)["/", "\\", "_", "-", "."]) html.Replace(separator, separator + "<wbr>");
        return new(html.ToString());
    }

    public static Markup Join(IEnumerable<Markup> parts) => new(string.Concat(parts.Select(part => part.Text)));

    public override string ToString() => _text.ToString();

    [InterpolatedStringHandler]
    public readonly ref struct Fragment
    {
        private readonly StringBuilder _text;

        public Fragment(int literalLength, int formattedCount) => _text = new(literalLength + 8 * formattedCount);

        public Fragment(int literalLength, int formattedCount, Html html) => _text = html._text;

        public void AppendLiteral(string text) => _text.Append(text);

        public void AppendFormatted(Markup markup) => _text.Append(markup.Text);

        public void AppendFormatted(string? text) => _text.Append(WebUtility.HtmlEncode(text is null ? null : VisibleText.Of(text, isOneLine: false)));

        public void AppendFormatted<T>(T value, string? format = null) where T : IFormattable =>
            _text.Append(WebUtility.HtmlEncode(value.ToString(format, CultureInfo.InvariantCulture)));

        public override string ToString() => _text.ToString();
    }
}
