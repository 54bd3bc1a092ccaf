using System.CommandLine;
using Graft.Imaging;

namespace Graft.Cli.Verbs;

/// <summary>The options that say how training photos are varied: a preset, and what of it is to be otherwise.</summary>
internal sealed class AugmentationOptions
{
    private readonly Option<string?> _preset = new("--augment")
    {
        Description = "How training photos are varied: none, light, medium or strong",
        HelpName = "PRESET",
    };

    private readonly Option<bool?> _flip = new("--flip") { Description = "Mirror every other view (true or false)", HelpName = "BOOL" };
    private readonly Option<bool?> _verticalFlip = new("--vertical-flip") { Description = "Turn every other view upside down", HelpName = "BOOL" };
    private readonly Option<double?> _rotation = new("--rotation") { Description = "The largest turn to either side", HelpName = "DEGREES" };
    private readonly Option<double?> _shift = new("--shift") { Description = "The largest shift, as a share of the side", HelpName = "SHARE" };
    private readonly Option<double?> _zoom = new("--zoom") { Description = "Enlarge by 1 - SHARE to 1 + SHARE", HelpName = "SHARE" };
    private readonly Option<double?> _crop = new("--crop") { Description = "The smallest share of the area that a random crop keeps", HelpName = "SHARE" };
    private readonly Option<double?> _brightness = new("--brightness") { Description = "The largest change of brightness", HelpName = "SHARE" };
    private readonly Option<double?> _contrast = new("--contrast") { Description = "The largest change of contrast", HelpName = "SHARE" };
    private readonly Option<double?> _color = new("--color", "--colour") { Description = "The largest change of saturation", HelpName = "SHARE" };
    private readonly Option<double?> _cutout = new("--cutout") { Description = "The side of a square that is covered, as a share", HelpName = "SHARE" };
    private readonly Option<FillRule?> _fill = new("--fill") { Description = "What stands beyond the edge: reflect, edge or black", HelpName = "RULE" };

    public AugmentationOptions() => _preset.AcceptOnlyFromAmong([.. Augmentation.Names]);

    public IEnumerable<Option> All =>
        [_preset, _flip, _verticalFlip, _rotation, _shift, _zoom, _crop, _brightness, _contrast, _color, _cutout, _fill];

    public void AddTo(Command command)
    {
        foreach (var option in All) command.Add(option);
    }

    /// <param name="unless">The preset where none is named.</param>
    public Augmentation Read(ParseResult parsed, Augmentation unless)
    {
        var preset = parsed.GetValue(_preset) is { } name ? Augmentation.Named(name)! : unless;
        var augmentation = preset with
        {
            HorizontalFlip = parsed.GetValue(_flip) ?? preset.HorizontalFlip,
            VerticalFlip = parsed.GetValue(_verticalFlip) ?? preset.VerticalFlip,
            RotationDegrees = parsed.GetValue(_rotation) ?? preset.RotationDegrees,
            Shift = parsed.GetValue(_shift) ?? preset.Shift,
            Zoom = parsed.GetValue(_zoom) ?? preset.Zoom,
            SmallestCrop = parsed.GetValue(_crop) ?? preset.SmallestCrop,
            Brightness = parsed.GetValue(_brightness) ?? preset.Brightness,
            Contrast = parsed.GetValue(_contrast) ?? preset.Contrast,
            Color = parsed.GetValue(_color) ?? preset.Color,
            Cutout = parsed.GetValue(_cutout) ?? preset.Cutout,
            Fill = parsed.GetValue(_fill) ?? preset.Fill,
        };
        return augmentation.Problems() is { Count: > 0 } problems ? throw new UsageException(string.Join(" ", problems)) : augmentation;
    }
}
