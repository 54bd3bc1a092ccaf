namespace Graft.Evaluation.Charts;

/// <summary>Colours that the colour-blind tell apart too: those of Okabe and Ito 2008, and three more.</summary>
internal static class ChartColours
{
    /// <summary>As <c>#RRGGBB</c>.</summary>
    public static IReadOnlyList<string> Hex { get; } =
        ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#8C7A00", "#7A5195", "#666666"];
}
