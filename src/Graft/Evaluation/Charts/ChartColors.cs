namespace Graft.Evaluation.Charts;

/// <summary>Colors that the color-blind tell apart too: those of Okabe and Ito 2008, and three more.</summary>
internal static class ChartColors
{
    public const string Soft = "#8b949e", Grid = "#e6eaee", Ink = "#3c444d";

    /// <summary>As <c>#RRGGBB</c>.</summary>
    public static IReadOnlyList<string> Hex { get; } =
        ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#8C7A00", "#7A5195", "#666666"];
}

/// <summary>How the lines and points of a class look, so that they are told apart without colors too.</summary>
internal static class ClassLook
{
    private static readonly string[] Dashes = ["", "7 3", "2 3", "9 3 2 3", "4 2"];

    public static string Color(int index) => ChartColors.Hex[index % ChartColors.Hex.Count];

    public static string Dash(int index) => Dashes[index % Dashes.Length];

    /// <summary>A marker around the origin; of 60 classes no two have both color and shape in common.</summary>
    public static string Marker(int index) => ((index + index / 30) % 6) switch
    {
        0 => "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z",
        1 => "M-2.7-2.7h5.4v5.4h-5.4z",
        2 => "M0-3.6L3.4,2.6h-6.8z",
        3 => "M0-3.8L3.8,0L0,3.8L-3.8,0z",
        4 => "M-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z",
        _ => "M0,3.6L3.4-2.6h-6.8z",
    };
}
